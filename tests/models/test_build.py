"""Every encoder with every head: one set of variables, whatever way the model is built."""

import doctest
import functools
from collections.abc import Callable
from typing import NamedTuple

import hydra.utils
import keras
import numpy as np
import pytest

import nalu_seq
from nalu_seq import units
from nalu_seq.config.options import options, shipped_config
from nalu_seq.models import StatefulModel, build, build_stateful
from nalu_seq.models.encoders import in_bfloat16
from nalu_seq.models.heads import Accumulate, UnitCell
from tests.units.layers import array

FEATURES, UNITS, LENGTH, BATCH = 3, 2, 7, 4
STATEFUL_ENCODERS = ("gru", "lstm", "rnn", "ugrnn")
STATEFUL_HEADS = ("accumulate", "unit_cell")
BASELINES = ("gru", "lstm", "rnn")  # recurrent heads, for encoders of single steps
PICTURE = (8, 8, 1)
UNIT_OPTIONS = ("nalu", "nau", "nmu")


def option(group: str, name: str) -> Callable[..., keras.layers.Layer]:
    node = shipped_config(group, name)
    if group == "encoder" and "units" in node:
        node.units = 4  # small is fast
    if "hidden" in node:
        node.hidden = 4
    if name == "convnet":
        node.filters, node.outputs, node.padding = [2], FEATURES, "same"
    if "under" in node:
        node.under = shipped_config("unit", "nmu")
    if "unit" in node:
        node.unit = shipped_config("unit", "nau")  # as the experiment fills it in
    return hydra.utils.instantiate(node, _convert_="all")


def parts(encoder: str, head: str, unit: str) -> list[Callable[..., keras.layers.Layer]]:
    return [option("encoder", encoder), option("head", head), option("unit", unit)]


def shape_of(encoder: str) -> tuple[int, ...]:
    return PICTURE if encoder == "convnet" else (FEATURES,)


def inputs(length: int = LENGTH, shape: tuple[int, ...] = (FEATURES,)) -> np.ndarray:
    x = np.random.default_rng(0).uniform(-2, 2, (BATCH, length, *shape))
    return x.astype("float32")


class Models(NamedTuple):
    """One model in three forms, with the same weights."""

    unrolled: keras.Model
    rolled: keras.Model
    stream: StatefulModel


def in_pieces(stream: StatefulModel, x: np.ndarray) -> np.ndarray:
    """What a stream gives for uneven pieces of a batch, its states passed on."""
    states = [keras.ops.repeat(state, BATCH, axis=0) for state in stream.initial_states]
    pieces = []
    for piece in (x[:, :2], x[:, 2:]):
        outputs = stream.model([keras.ops.convert_to_tensor(piece), *states])
        y, *states = outputs if stream.initial_states else [outputs]
        pieces.append(array(y))
    return np.concatenate(pieces, axis=1)


@functools.cache
def models(encoder: str, head: str, unit: str) -> Models:
    layers, features = parts(encoder, head, unit), shape_of(encoder)
    rolled = build(*layers, features, UNITS)
    unrolled = build(*layers, features, UNITS, length=LENGTH)
    stream = build_stateful(*layers, features, UNITS)
    unrolled.set_weights(rolled.get_weights())
    stream.model.set_weights(rolled.get_weights())
    return Models(unrolled, rolled, stream)


each_model = pytest.mark.parametrize(
    "chosen",
    [
        pytest.param((encoder, head, unit), id=f"{encoder}-{head}-{unit}")
        for encoder in options("encoder")
        for head in options("head")
        if head != "solved"  # it needs an encoder of as many outputs: test_baselines.py
        for unit in UNIT_OPTIONS
        # Baselines are the same whatever the unit is, and the convnet knows nothing of it.
        if unit == "nalu" or not (head in ("dense", *BASELINES) or encoder == "convnet")
        # More of these in test_stack.py.
        if unit == "nau" or not (encoder == "routed" or head == "accumulate_stack")
        if head not in BASELINES or encoder in ("none", "convnet")
    ],
)


@each_model
def test_unrolled_and_rolled_have_the_same_variables_in_the_same_order(chosen):
    unrolled, rolled, stream = (
        [(v.name, v.shape, v.trainable) for v in model.variables]
        for model in (
            models(*chosen).unrolled,
            models(*chosen).rolled,
            models(*chosen).stream.model,
        )
    )
    assert unrolled == rolled == stream != []


@each_model
def test_unrolled_and_rolled_give_the_same(chosen):
    unrolled, rolled, _ = models(*chosen)
    x = inputs(shape=shape_of(chosen[0]))
    y = array(rolled(x))
    assert y.shape == (BATCH, LENGTH, UNITS)
    # The carry cell's sinh enlarges relative errors by the logarithm of what it gives, 45 for NALU.
    rtol = 1e-3 if "carry_cell" in chosen else 1e-4
    np.testing.assert_allclose(array(unrolled(x)), y, rtol=rtol, atol=1e-5)
    longer = rolled(inputs(3 * LENGTH, shape_of(chosen[0])))
    assert tuple(longer.shape) == (BATCH, 3 * LENGTH, UNITS)


@each_model
def test_stream_in_uneven_pieces_equals_the_whole(chosen):
    _, rolled, stream = models(*chosen)
    x = inputs(shape=shape_of(chosen[0]))
    np.testing.assert_allclose(in_pieces(stream, x), array(rolled(x)), rtol=1e-4, atol=1e-5)


@each_model
def test_keras_file_round_trip(chosen, tmp_path):
    model = models(*chosen).rolled
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for value, same in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, same)
    x = inputs(shape=shape_of(chosen[0]))
    y, again = array(model(x)), array(loaded(x))
    np.testing.assert_allclose(again, y, rtol=1e-4, atol=1e-5)


# What the heads compute


@pytest.mark.parametrize("unit", UNIT_OPTIONS)
@pytest.mark.parametrize(
    ("operation", "accumulated"), [("sum", np.cumsum), ("product", np.cumprod)]
)
def test_accumulate_is_the_unit_s_running_sum_or_product(unit, operation, accumulated):
    layer = Accumulate(option("unit", unit)(units=UNITS), operation)
    y, steps = array(layer(inputs())), array(layer.unit(inputs()))
    np.testing.assert_allclose(y, accumulated(steps, axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("operation", ["sum", "product"])
def test_accumulate_goes_on_from_a_state(operation):
    layer = Accumulate(option("unit", "nau")(units=UNITS), operation, return_state=True)
    whole, end = map(array, layer(inputs()))
    np.testing.assert_array_equal(end, whole[:, -1])
    _, state = layer(inputs()[:, :3], initial_state=layer.get_initial_state(BATCH))
    rest, _ = layer(inputs()[:, 3:], initial_state=state)
    np.testing.assert_allclose(array(rest), whole[:, 3:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cls", [UnitCell, Accumulate])
def test_config_round_trip(cls):
    own = {
        UnitCell: {"initial_state": 1.0, "snap": 1.0},
        Accumulate: {"operation": "product", "return_state": True, "snap": 0.5},
    }
    layer = cls(
        units.NAU(2, dtype="float64"), **own[cls], name="mine", dtype="float64", trainable=False
    )
    again = cls.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert {name: getattr(again, name) for name in own[cls]} == own[cls]
    assert (again.name, again.dtype, again.trainable) == ("mine", "float64", False)
    assert (again.unit.units, again.unit.dtype) == (2, "float64")


def test_accumulate_knows_two_operations():
    with pytest.raises(ValueError, match="operation must be sum or product, not 'mean'"):
        Accumulate(units.NAU(2), "mean")


@pytest.mark.parametrize("unit", UNIT_OPTIONS)
@pytest.mark.parametrize("initial_state", [0.0, 1.0])
def test_unit_cell_feeds_the_unit_its_own_output(unit, initial_state):
    layer = UnitCell(option("unit", unit)(units=UNITS), initial_state)
    x = inputs()
    y = array(keras.layers.RNN(layer, return_sequences=True)(x))
    state = np.full((BATCH, UNITS), initial_state, "float32")
    for t in range(LENGTH):
        state = array(layer.unit(np.concatenate([x[:, t], state], 1)))
        np.testing.assert_allclose(y[:, t], state, rtol=1e-4, atol=1e-5)


# A product from 0 would stay 0.
def test_initial_state_of_unit_cell_is_an_option():
    node = shipped_config("head", "unit_cell")
    node.initial_state = 1.0
    unit = functools.partial(units.NMU, w_initializer="ones")
    head = hydra.utils.instantiate(node, _convert_="all")
    model = build(option("encoder", "none"), head, unit, input_size=1, output_size=1, length=3)
    y = array(model(np.array([[[2.0], [-3.0], [4.0]]], "float32")))
    np.testing.assert_array_equal(y[0, :, 0], [2, -6, -24])


@pytest.mark.parametrize("cls", [UnitCell, Accumulate])
def test_docstring_s_example_runs(cls):
    (test,) = doctest.DocTestFinder(recurse=False).find(
        cls, globs={cls.__name__: cls, "keras": keras, "nalu_seq": nalu_seq}
    )
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def test_pictures_need_an_encoder_that_makes_features_of_them():
    with pytest.raises(ValueError, match="none gives no features of a 8 x 8 x 1 picture"):
        build(*parts("none", "accumulate", "nau"), PICTURE, UNITS)


# Tasks without steps


@pytest.mark.parametrize("head", ["dense", "readout"])
def test_without_steps_the_unit_stands_alone(head):
    model = build(*parts("none", head, "nmu"), FEATURES, UNITS, sequence=False)
    assert model.input_shape == (None, FEATURES)
    assert tuple(model(inputs()[:, 0]).shape) == (BATCH, UNITS)


@pytest.mark.parametrize(
    ("encoder", "head", "named"),
    [
        *((encoder, "readout", f"{encoder} needs") for encoder in STATEFUL_ENCODERS),
        *(("none", head, f"{head} needs") for head in STATEFUL_HEADS),
        ("lstm", "accumulate", "lstm and accumulate need"),
    ],
)
def test_without_steps_what_needs_them_is_refused(encoder, head, named):
    valid = "use encoder=none and head=readout or head=dense"
    with pytest.raises(ValueError, match=f"^{named} steps in time.*{valid}"):
        build(*parts(encoder, head, "nau"), FEATURES, UNITS, sequence=False)


@pytest.mark.parametrize("encoder", ["convnet", "gru", "lstm", "mlp", "rnn", "ugrnn"])
def test_only_an_encoders_products_are_in_bfloat16(encoder: str) -> None:
    plain, head, unit = parts(encoder, "accumulate", "nau")
    mixed = in_bfloat16(plain)
    shape = shape_of(encoder)
    model = build(mixed, head, unit, shape, UNITS)
    wanted = build(plain, head, unit, shape, UNITS)
    wanted.set_weights(model.get_weights())
    assert model.layers[1].compute_dtype == "bfloat16"
    assert {v.dtype for v in model.weights} == {"float32"}
    assert model.layers[2].compute_dtype == keras.config.dtype_policy().name == "float32"
    x = inputs(shape=shape)
    y = array(model(x))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, array(wanted(x)), atol=0.05)
    assert (y != array(wanted(x))).any()
    stream = build_stateful(mixed, head, unit, shape, UNITS)
    stream.model.set_weights(model.get_weights())
    np.testing.assert_allclose(in_pieces(stream, x), y, atol=0.02)
