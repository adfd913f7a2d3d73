"""What every option of `conf/unit/` must do; a new one is found here by itself."""

import doctest
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra.utils
import keras
import numpy as np
import pytest
import tensorflow as tf

from nalu_seq import units
from nalu_seq.config import PACKAGE, options, shipped
from nalu_seq.models.heads import Accumulate, UnitCell

OPTIONS = options("unit")
IN, OUT = 3, 2
SMALL = (0.0, -2.0, 1e-30, -1e-30)
INFRASTRUCTURE = ("__init__", "base", "weights")
MODULES = sorted({p.stem for p in (PACKAGE / "units").glob("*.py")} - set(INFRASTRUCTURE))
CLASSES = [getattr(units, name) for name in units.__all__ if name != "Unit"]
# Who overflows where two inputs are 1e30, and the sentence of the docstring that says so.
OVERFLOWS = {
    units.NACMul: "It overflows to inf where the true product leaves the float range",
    units.NALU: "where `NACMul` overflows it gives inf or NaN",
    units.GNALU: "it overflows to inf or NaN where NALU does",
    units.RealNPU: "It overflows to inf or NaN where a power leaves the float range",
    units.NPU: "It overflows to inf or NaN where a power leaves the float range",
    units.NRU: "The product overflows to inf where the true one does.",
    units.MulMCFC: "It overflows to inf where the product does.",
    units.GatedNAUNMU: "Where the product overflows it gives inf or NaN.",
    units.SNMU: "The product overflows to inf where the true one does.",
    units.NMU: "The product overflows to inf where the true one does.",
}
# Whose powers nothing bounds, and the sentence that says so: wide weights and extreme inputs do not
# go together.
UNBOUNDED = {
    cls: "nothing bounds the weights, and with a weight of -4 an input of 0 is 1e27 already"
    for cls in (units.RealNPU, units.NPU)
}

each_option = pytest.mark.parametrize("option", OPTIONS)


def partial(option: str) -> Callable[..., units.Unit]:
    return hydra.utils.instantiate(shipped("unit", option), _convert_="all")


def built(option: str, **kwargs: Any) -> units.Unit:
    layer = partial(option)(units=OUT, **kwargs)
    layer.build((None, IN))
    return layer


def inputs(*shape: int, dtype: str = "float32") -> tf.Tensor:
    """Magnitudes in 0.5 .. 2 of either sign: away from what has a kink at 0."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)
    return tf.constant(x, dtype)


def total(y: tf.Tensor) -> tf.Tensor:
    """A sum in which each output counts differently, so that none can stand in for another."""
    return tf.reduce_sum(y * tf.cast(tf.range(1, y.shape[-1] + 1), y.dtype))


def with_gradients(layer: keras.Layer, x: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The output, and the gradients of its `total`: of the input, then of each trainable weight."""
    sources = [x, *(v.value for v in layer.trainable_variables)]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        value = total(y)
    gradients = tape.gradient(value, sources)
    assert all(g is not None for g in gradients)
    return y, gradients


def saved_and_loaded(model: keras.Model, folder: Path) -> keras.Model:
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


def doc(cls: type) -> str:
    return " ".join(inspect.getdoc(cls).split())


def constructor_defaults(cls: type) -> dict[str, Any]:
    """The arguments that a unit's own constructors, and not Keras', give a default."""
    own = [c for c in cls.__mro__ if issubclass(c, units.Unit)]
    parameters = [p for c in own for p in inspect.signature(c.__init__).parameters.values()]
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def another_value(name: str, default: Any, i: int) -> Any:
    if name.endswith("_initializer"):
        return keras.initializers.Constant(0.1 * (i + 1))
    if isinstance(default, bool):
        return not default
    return default + 1 if isinstance(default, int | float) else default


# What a unit is to Keras


@each_option
@pytest.mark.parametrize("shape", [(4, IN), (4, 5, IN), (2, 4, 5, IN)])
def test_last_axis_becomes_units(option, shape):
    layer = partial(option)(units=OUT)
    y = layer(inputs(*shape))
    assert tuple(y.shape) == layer.compute_output_shape(shape) == (*shape[:-1], OUT)
    assert y.dtype == "float32"


@each_option
def test_every_position_is_treated_alike(option):
    layer, x = built(option), inputs(4, 5, IN)
    flat = layer(tf.reshape(x, (20, IN)))
    np.testing.assert_allclose(tf.reshape(layer(x), (20, OUT)), flat, rtol=1e-4, atol=1e-5)


@each_option
def test_integers_give_what_floats_give(option):
    layer, x = built(option), np.array([[1, 2, 3], [-1, 0, 5]])
    y = layer(x)
    assert y.dtype == "float32"
    np.testing.assert_allclose(y, layer(x.astype("float32")), rtol=1e-6)


@each_option
def test_config_round_trip(option):
    layer = built(option, name="mine", dtype="float64", trainable=False)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.name == "mine"
    assert again.dtype == "float64"
    assert not again.trainable


@pytest.mark.parametrize("cls", CLASSES)
def test_config_holds_every_argument(cls):
    defaults = constructor_defaults(cls)
    given = {name: another_value(name, defaults[name], i) for i, name in enumerate(defaults)}
    layer = cls(OUT, **given)
    again = cls.from_config(layer.get_config())
    assert given.keys() <= layer.get_config().keys()
    assert again.get_config() == layer.get_config()
    layer.build((None, IN))
    again.build((None, IN))
    for old, new in zip(layer.weights, again.weights, strict=True):
        if f"{old.name}_initializer" in given:
            np.testing.assert_array_equal(old, given[f"{old.name}_initializer"](old.shape))
            np.testing.assert_array_equal(new, old)


@each_option
def test_keras_file_round_trip(option, tmp_path):
    layer = partial(option)(units=OUT, name="mine", dtype="mixed_bfloat16", trainable=False)
    model = keras.Sequential([keras.Input((IN,)), layer])
    loaded = saved_and_loaded(model, tmp_path)
    x = inputs(4, IN)
    np.testing.assert_array_equal(loaded(x), model(x))
    (again,) = loaded.layers
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    assert again.name == "mine"
    assert again.dtype_policy.name == "mixed_bfloat16"
    assert again.trainable_variables == []


@each_option
def test_fit_keeps_the_loss_finite(option):
    model = keras.Sequential([keras.Input((IN,)), partial(option)(units=OUT)])
    model.compile(keras.optimizers.Adam(1e-3), "mse", run_eagerly=True)  # tracing takes longer
    x = inputs(32, IN)
    history = model.fit(x, x[:, :OUT], batch_size=8, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


# A matrix derived in __init__ would leave the output as it was: the "faux NAC".
@each_option
def test_gradient_step_on_each_weight_changes_the_output(option):
    layer, x = built(option, dtype="float64"), inputs(16, IN, dtype="float64")
    assert layer.trainable_variables
    before, (_, *gradients) = with_gradients(layer, x)
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        old = variable.numpy()
        variable.assign(old - 0.1 * np.sign(gradient))  # a gradient may be tiny
        assert np.abs(layer(x) - before).max() > 1e-9, variable.name
        variable.assign(old)


@each_option
@pytest.mark.parametrize(
    "wrap",
    [
        lambda unit: keras.layers.RNN(UnitCell(unit, initial_state=1.0), return_sequences=True),
        lambda unit: Accumulate(unit, operation="product"),
    ],
    ids=["unit_cell", "accumulate"],
)
def test_over_time(option, wrap, tmp_path):
    layer = wrap(partial(option)(units=OUT))
    model = keras.Sequential([keras.Input((5, IN)), layer])
    x = inputs(4, 5, IN)
    y, gradients = with_gradients(layer, x)
    assert tuple(y.shape) == (4, 5, OUT)
    assert all(np.isfinite(g).all() and np.any(g) for g in gradients)
    np.testing.assert_array_equal(saved_and_loaded(model, tmp_path)(x), model(x))


# Numbers


@each_option
def test_gradients_match_finite_differences(option):
    layer, x = built(option, dtype="float64"), inputs(4, IN, dtype="float64")
    _, gradients = with_gradients(layer, x)
    point = tf.Variable(x)
    places = [point, *(v.value for v in layer.trainable_variables)]
    for place, gradient in zip(places, gradients, strict=True):
        differences = central_differences(lambda: total(layer(point)), place)
        np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-8)


def central_differences(value: Callable[[], tf.Tensor], place: tf.Variable) -> np.ndarray:
    at, step = place.numpy(), 1e-6
    differences = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        nudge = np.zeros_like(at)
        nudge[index] = step
        place.assign(at + nudge)
        above = value()
        place.assign(at - nudge)
        differences[index] = (above - value()) / (2 * step)
    place.assign(at)
    return differences


@each_option
@pytest.mark.parametrize("spread", [0, 4], ids=["initial_weights", "wide_weights"])
def test_finite_with_one_extreme_input(option, spread):
    layer, rng = built(option), np.random.default_rng(0)
    if spread and type(layer) in UNBOUNDED:
        assert UNBOUNDED[type(layer)] in doc(type(layer))
        return
    for variable in layer.trainable_variables if spread else []:
        variable.assign(rng.uniform(-spread, spread, variable.shape))
    # Each value at each place among ordinary ones.
    x = [tf.where(tf.eye(IN) > 0, value, inputs(IN, IN)) for value in (*SMALL, 1e30, -1e30)]
    y, gradients = with_gradients(layer, tf.concat(x, 0))
    assert all(np.isfinite(a).all() for a in (y, *gradients))


@each_option
def test_finite_with_all_inputs_alike(option):
    y, gradients = with_gradients(built(option), tf.constant([[value] * IN for value in SMALL]))
    assert all(np.isfinite(a).all() for a in (y, *gradients))


@each_option
def test_two_huge_inputs_overflow_only_where_the_docstring_says_so(option):
    layer = built(option)
    for variable in layer.trainable_variables:
        variable.assign(tf.fill(variable.shape, 20.0))  # w = 1, where it is derived or clamped
    y = layer(tf.constant([[1e30, 1e30, 1.0]]))
    sentence = OVERFLOWS.get(type(layer))
    assert np.isfinite(y).all() == (sentence is None)
    assert sentence is None or sentence in doc(type(layer))


@each_option
def test_compiled_equals_plain(option):
    layer, x = built(option), inputs(4, IN)
    compiled = tf.function(lambda x: with_gradients(layer, x), jit_compile=True)
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        compiled(x),
        with_gradients(layer, x),
    )


@each_option
@pytest.mark.parametrize("shape", [(5, IN), (5, 4, IN)])
def test_mapped_over_members_equals_one_at_a_time(option, shape):
    layers = [built(option) for _ in range(4)]
    weights = [[v.value for v in layer.trainable_variables] for layer in layers]
    stacked = [tf.stack(values) for values in zip(*weights, strict=True)]
    x = inputs(4, *shape)

    def one_member(args: tuple[list[tf.Tensor], tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        values, x = args
        with tf.GradientTape() as tape:
            tape.watch([x, *values])
            others = layers[0].non_trainable_variables
            y, _ = layers[0].stateless_call(values, others, x)
            value = total(y)
        return y, tape.gradient(value, [x, *values])

    y, gradients = tf.vectorized_map(one_member, (stacked, x), fallback_to_while_loop=False)
    assert len({np.asarray(member).tobytes() for member in y}) == 4
    for m, layer in enumerate(layers):
        tf.nest.map_structure(
            lambda a, b, m=m: np.testing.assert_allclose(a[m], b, rtol=1e-4, atol=1e-5),
            (y, gradients),
            with_gradients(layer, x[m]),
        )


@each_option
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(option, policy):
    layer = built(option, dtype=policy)
    x = inputs(4, IN)
    if policy == "mixed_float16" and isinstance(layer, units.NACMul | units.NALU):
        assert "float16 ends at 65504, where even 1 / eps is too much" in doc(units.NACMul)
        assert "where `NACMul` overflows it gives inf or NaN" in doc(units.NALU)
    else:
        x = tf.concat([x, tf.eye(IN), tf.zeros((1, IN))], 0)
    y, gradients = with_gradients(layer, tf.cast(x, layer.compute_dtype))
    assert y.dtype == layer.compute_dtype
    assert {v.dtype for v in layer.variables} == {"float32"}
    assert not any(np.isnan(tf.cast(a, "float32")).any() for a in (y, *gradients))
    # Coarser numbers, but the same function.
    exact = built(option)
    exact.set_weights(layer.get_weights())
    np.testing.assert_allclose(tf.cast(y, "float32")[:4], exact(x)[:4], rtol=0.05, atol=0.05)


# Bad input


@each_option
@pytest.mark.parametrize("count", [0, -1, 2.5, True, "3"])
def test_units_must_be_a_positive_integer(option, count):
    with pytest.raises(ValueError, match=r"units must be a positive integer"):
        partial(option)(units=count)


@each_option
def test_input_needs_batch_and_known_features(option):
    for x in (inputs(IN), keras.Input((None,)), keras.Input((5, None))):
        with pytest.raises(ValueError, match=r"the input must be \[batch, \.\.\., features\]"):
            partial(option)(units=OUT)(x)


# A product would broadcast a single feature to all weights, and say nothing.
@each_option
@pytest.mark.parametrize("features", [1, IN + 1])
def test_input_of_another_width_is_refused(option, features):
    with pytest.raises(ValueError, match="expected axis -1"):
        built(option)(inputs(4, features))


# What a unit is to the project


@pytest.mark.parametrize("module", MODULES)
def test_unit_file_is_exported_and_has_an_option(module):
    found = importlib.import_module(f"nalu_seq.units.{module}")
    classes = [
        c for _, c in inspect.getmembers(found, inspect.isclass) if found.__name__ == c.__module__
    ]
    (cls,) = (c for c in classes if issubclass(c, units.Unit))
    assert cls.__name__.lower() == module.replace("_", "")
    assert cls.__name__ in units.__all__
    assert getattr(units, cls.__name__) is cls
    assert any(hydra.utils.get_class(shipped("unit", o)._target_) is cls for o in OPTIONS)


@each_option
def test_option_shows_every_argument_and_no_other(option):
    node = shipped("unit", option)
    defaults = constructor_defaults(hydra.utils.get_class(node._target_))
    assert node._partial_ is True
    assert set(node) - {"_target_", "_partial_"} == set(defaults)


@pytest.mark.parametrize("module", MODULES)
def test_option_of_the_unit_s_own_name_has_its_defaults(module):
    node = shipped("unit", module)
    defaults = constructor_defaults(hydra.utils.get_class(node._target_))
    assert {key: node[key] for key in defaults} == defaults


@pytest.mark.parametrize("cls", CLASSES)
def test_docstring_s_example_runs(cls):
    names = {cls.__name__: cls, "keras": keras}
    (test,) = doctest.DocTestFinder(recurse=False).find(cls, globs=names)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0
