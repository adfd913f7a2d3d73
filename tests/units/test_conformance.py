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

from nalu_seq import units
from nalu_seq.config.options import PACKAGE, shipped_config
from nalu_seq.experiment.instantiate import SET_BY_CODE
from nalu_seq.models.heads import Accumulate, UnitCell
from tests.units.exact import solved
from tests.units.layers import (
    DOUBLE,
    IN,
    OPTIONS,
    OUT,
    PRECISE,
    RTOL,
    array,
    built,
    each_option,
    inputs,
    partial,
    total,
    with_gradients,
)

SMALL = (0.0, -2.0, 1e-30, -1e-30)
INFRASTRUCTURE = ("__init__", "base", "facts", "weights")
MODULES = sorted({p.stem for p in (PACKAGE / "units").glob("*.py")} - set(INFRASTRUCTURE))
CLASSES = [c for c in vars(units).values() if inspect.isclass(c) and issubclass(c, units.Unit)][
    1:
]  # without Unit itself


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
    assert array(y).dtype == "float32"


@each_option
def test_every_position_is_treated_alike(option):
    layer, x = built(option), inputs(4, 5, IN)
    flat = array(layer(x.reshape(20, IN)))
    np.testing.assert_allclose(array(layer(x)).reshape(20, OUT), flat, rtol=1e-4, atol=1e-5)


@each_option
def test_integers_give_what_floats_give(option):
    layer, x = built(option), np.array([[1, 2, 3], [-1, 0, 5]])
    y = array(layer(x))
    assert y.dtype == "float32"
    np.testing.assert_allclose(y, array(layer(x.astype("float32"))), rtol=1e-6)


@each_option
def test_config_round_trip(option):
    layer = built(option, name="mine", dtype="mixed_float16", trainable=False)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.name == "mine"
    assert again.dtype_policy.name == "mixed_float16"
    assert not again.trainable


@pytest.mark.parametrize("cls", CLASSES)
def test_config_holds_every_argument(cls):
    defaults = constructor_defaults(cls)
    arguments = {name: another_value(name, defaults[name], i) for i, name in enumerate(defaults)}
    layer = cls(OUT, **arguments)
    again = cls.from_config(layer.get_config())
    assert arguments.keys() <= layer.get_config().keys()
    assert again.get_config() == layer.get_config()
    layer.build((None, IN))
    again.build((None, IN))
    for old, new in zip(layer.weights, again.weights, strict=True):
        if f"{old.name}_initializer" in arguments:
            drawn = arguments[f"{old.name}_initializer"](old.shape)
            np.testing.assert_array_equal(array(old), array(drawn))
            np.testing.assert_array_equal(array(new), array(old))


@each_option
def test_keras_file_round_trip(option, tmp_path):
    layer = partial(option)(units=OUT, name="mine", dtype="mixed_bfloat16", trainable=False)
    model = keras.Sequential([keras.Input((IN,)), layer])
    loaded = saved_and_loaded(model, tmp_path)
    x = inputs(4, IN)
    np.testing.assert_array_equal(array(loaded(x)), array(model(x)))
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
    layer, x = built(option, dtype=PRECISE), inputs(16, IN, dtype=PRECISE)
    assert layer.trainable_variables
    before, (_, *gradients) = with_gradients(layer, x, layer.trainable_variables)
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        old = np.copy(array(variable))
        variable.assign(old - 0.1 * np.sign(gradient))  # a gradient may be tiny
        assert np.abs(array(layer(x)) - before).max() > RTOL, variable.name
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
    y, gradients = with_gradients(layer, x, layer.trainable_variables)
    assert y.shape == (4, 5, OUT)
    assert all(np.isfinite(g).all() and np.any(g) for g in gradients)
    np.testing.assert_array_equal(array(saved_and_loaded(model, tmp_path)(x)), array(model(x)))


# Numbers


@each_option
def test_gradients_match_finite_differences(option):
    layer, x = built(option, dtype=PRECISE), inputs(4, IN, dtype=PRECISE)
    step, tolerance = (1e-6, 1e-6) if DOUBLE else (1e-2, 1e-2)
    _, gradients = with_gradients(layer, x, layer.trainable_variables)
    point = keras.Variable(x, dtype=PRECISE)
    for place, gradient in zip([point, *layer.trainable_variables], gradients, strict=True):
        differences, halves = (
            central_differences(lambda: array(total(layer(point.value))), place, size)
            for size in (step, step / 2)
        )
        # In float32 steps are so long that one may cross the kink of a clamp: then they disagree.
        smooth = DOUBLE | np.isclose(differences, halves, tolerance, tolerance / 100)
        assert np.mean(smooth) > 0.8
        np.testing.assert_allclose(
            array(gradient)[smooth], differences[smooth], rtol=tolerance, atol=tolerance / 100
        )


def central_differences(
    value: Callable[[], np.ndarray], place: keras.Variable, step: float
) -> np.ndarray:
    at = np.copy(array(place))
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
    if spread and "power" in layer.facts().overflows:
        assert "overflows to inf or NaN where a power leaves the float range" in doc(type(layer))
        return
    for variable in layer.trainable_variables if spread else []:
        variable.assign(rng.uniform(-spread, spread, variable.shape))
    # Each value at each place among ordinary ones.
    x = [np.where(np.eye(IN) > 0, value, inputs(IN, IN)) for value in (*SMALL, 1e30, -1e30)]
    x = np.concatenate(x).astype("float32")
    y, gradients = with_gradients(layer, x, layer.trainable_variables)
    assert all(np.isfinite(a).all() for a in (y, *gradients))


@each_option
def test_finite_with_all_inputs_alike(option):
    layer, x = built(option), np.array([[value] * IN for value in SMALL], "float32")
    y, gradients = with_gradients(layer, x, layer.trainable_variables)
    assert all(np.isfinite(a).all() for a in (y, *gradients))


@each_option
def test_two_huge_inputs_overflow_only_where_the_unit_says_so(option):
    layers = [built(option)]
    for variable in layers[0].trainable_variables:
        variable.assign(np.full(variable.shape, 20.0))  # w = 1, where it is derived or clamped
    layers += [solved(option, o) for o in layers[0].facts().solutions]
    finite = [
        np.isfinite(array(layer(np.full((1, layer.features), 1e30, "float32")))).all()
        for layer in layers
    ]
    says = layers[0].facts().overflows
    assert all(finite) == ("product" not in says)
    assert "overflows" in doc(type(layers[0])) or not says


@each_option
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(option, policy):
    layer = built(option, dtype=policy)
    x = few = inputs(4, IN)
    if policy != "mixed_float16" or "float16" not in layer.facts().overflows:
        x = np.concatenate([x, np.eye(IN), np.zeros((1, IN))])
    x = keras.ops.cast(x, layer.compute_dtype)
    y, gradients = with_gradients(layer, x, layer.trainable_variables)
    assert y.dtype == layer.compute_dtype
    assert {v.dtype for v in layer.variables} == {"float32"}
    assert not any(np.isnan(a.astype("float32")).any() for a in (y, *gradients))
    # Coarser numbers, but the same function.
    exact = built(option)
    exact.set_weights(layer.get_weights())
    np.testing.assert_allclose(y[:4].astype("float32"), array(exact(few)), rtol=0.05, atol=0.05)


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
    imported = importlib.import_module(f"nalu_seq.units.{module}")
    classes = [
        c
        for _, c in inspect.getmembers(imported, inspect.isclass)
        if imported.__name__ == c.__module__
    ]
    (cls,) = (c for c in classes if issubclass(c, units.Unit))
    name = cls.__name__
    assert name.lower() == module.replace("_", "")
    line = f"from nalu_seq.units.{module} import {name} as {name}"
    assert getattr(units, name, None) is cls, f"add to nalu_seq/units/__init__.py: {line}"
    targets = [shipped_config("unit", option)._target_ for option in OPTIONS]
    assert f"nalu_seq.units.{name}" in targets, f"add conf/unit/{module}.yaml"


def option_defaults(node: Any) -> dict[str, Any]:
    """The arguments that a config may set, without those of the builders and the trainer."""
    defaults = constructor_defaults(hydra.utils.get_class(node._target_))
    return {name: value for name, value in defaults.items() if name not in SET_BY_CODE["unit"]}


@each_option
def test_option_shows_every_argument_and_no_other(option):
    node = shipped_config("unit", option)
    defaults = option_defaults(node)
    assert node._partial_ is True
    assert set(node) - {"_target_", "_partial_"} == set(defaults)


@pytest.mark.parametrize("module", MODULES)
def test_option_of_the_unit_s_own_name_has_its_defaults(module):
    node = shipped_config("unit", module)
    defaults = option_defaults(node)
    assert {key: node[key] for key in defaults} == defaults


@pytest.mark.parametrize("cls", CLASSES)
def test_docstring_s_example_runs(cls):
    names = {cls.__name__: cls, "keras": keras}
    (test,) = doctest.DocTestFinder(recurse=False).find(cls, globs=names)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0
