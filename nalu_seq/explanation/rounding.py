"""Rounds the units of a trained model: each effective weight to the nearest favoured value."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nalu_seq.models.heads import Accumulate, UnitCell
from nalu_seq.units import Unit

# How far an effective weight may be from its rounded value after raw weights are set for it: a gate
# that depends on the input is 1/2 where all inputs are 0, whatever its raw weights are.
TOLERANCE = 0.1


class Unreadable(Exception):
    """A model, or one member of it, has no formula; the message says why in one line."""


@dataclass(frozen=True)
class RoundedUnit:
    """One unit after rounding.

    Attributes:
        layer: the layer of the model that is or holds the unit.
        unit: the unit, which has the rounded weights.
        effective: the unit's rounded effective weights, by name.
        distances: the largest distance of a weight from its rounded value, by name.
    """

    layer: keras.layers.Layer
    unit: Unit
    effective: dict[str, np.ndarray]
    distances: dict[str, float]


def unit_of(layer: keras.layers.Layer) -> Unit | None:
    """The unit that a layer is or holds, accumulated or as a recurrent cell; None if there is none.

    Args:
        layer: a layer of a model.
    """
    if isinstance(layer, keras.layers.RNN) and isinstance(layer.cell, UnitCell):
        layer = layer.cell
    if isinstance(layer, Accumulate | UnitCell):
        layer = layer.unit
    return layer if isinstance(layer, Unit) else None


def computing_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model that compute something, in order.

    Args:
        model: the model whose layers are looked at.
    """
    passing = keras.layers.InputLayer | keras.layers.Identity
    return [layer for layer in model.layers if not isinstance(layer, passing)]


def readable_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model between input and output, in order, each of which is or holds a unit.

    Args:
        model: the model whose layers are looked at.

    Raises:
        Unreadable: a layer holds no unit, or its unit favours no weights.
    """
    layers = computing_layers(model)
    for layer in layers:
        unit = unit_of(layer)
        if unit is None:
            raise Unreadable(f"its layer {layer.name} is made of no units that could be rounded")
        if not unit.facts().favours:
            raise Unreadable(f"{type(unit).__name__} names no weights to round to in its facts")
    return layers


def round_model(model: keras.Model, x: np.ndarray) -> list[RoundedUnit]:
    """Round every unit of a model, whose weights are changed.

    Args:
        model: one member, all of whose layers hold units.
        x: a sample of its inputs, `[examples, ..., in]`, which decides whether a gate is open.

    Raises:
        Unreadable: weights are not finite, or no raw weights lead to the rounded ones.
    """
    if not all(np.isfinite(w).all() for w in model.get_weights()):
        raise Unreadable("its weights are not finite")
    rounded, z = [], keras.ops.convert_to_tensor(x)
    for layer in readable_layers(model):
        y = layer(z)
        unit = unit_of(layer)
        assert unit is not None
        rounded.append(round_unit(layer, unit, _unit_inputs(layer, z, y)))
        z = y
    return rounded


def round_unit(layer: keras.layers.Layer, unit: Unit, x: np.ndarray) -> RoundedUnit:
    """Round one unit, as `round_model` does with all.

    Args:
        layer: the layer that is or holds the unit.
        unit: the unit.
        x: a sample of the unit's own inputs, `[examples, in]`.

    Raises:
        Unreadable: no raw weights lead to the rounded ones.
    """
    favours = unit.facts().favours
    before = _effective(unit, x)
    targets = {name: nearest(w, favours[name]) for name, w in before.items()}
    unit.set_weights(
        [
            np.reshape(raw, weight.shape)
            for raw, weight in zip(unit.raw_weights(targets, x), unit.weights, strict=True)
        ]
    )
    for name, w in _effective(unit, x).items():
        if not np.allclose(w, targets[name], rtol=0, atol=TOLERANCE):
            raise Unreadable(f"{name} of its layer {layer.name} can't be set to its rounded values")
    distances = {name: float(np.abs(w - targets[name]).max()) for name, w in before.items()}
    return RoundedUnit(layer, unit, targets, distances)


def nearest(w: np.ndarray, values: tuple[float, ...]) -> np.ndarray:
    """The value that is nearest to each weight.

    Args:
        w: weights of any shape.
        values: the values to choose from.
    """
    options = np.asarray(values)
    return options[np.abs(np.asarray(w)[..., None] - options).argmin(axis=-1)]


def _effective(unit: Unit, x: np.ndarray) -> dict[str, np.ndarray]:
    return {name: keras.ops.convert_to_numpy(w) for name, w in unit.effective(x).items()}


def _unit_inputs(layer: keras.layers.Layer, z: Any, y: Any) -> np.ndarray:
    """The inputs `[examples, in]` of a layer's unit, for the layer's inputs z and outputs y."""
    z, y = keras.ops.convert_to_numpy(z), keras.ops.convert_to_numpy(y)
    if isinstance(layer, keras.layers.RNN):
        first = np.full_like(y[:, :1], layer.cell.initial_state)
        z = np.concatenate([z, np.concatenate([first, y[:, :-1]], axis=1)], axis=-1)
    return z.reshape(-1, z.shape[-1])
