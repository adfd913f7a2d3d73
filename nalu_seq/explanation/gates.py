"""The gates of a population's units, which may depend on the units' inputs."""

from typing import Any

import keras
from keras import ops

from nalu_seq.evaluation.weights import named_units
from nalu_seq.explanation.rounding import unit_of
from nalu_seq.models.heads import UnitCell
from nalu_seq.population.population import Population


def gates(population: Population, x: Any) -> dict[str, Any]:
    """The gates of each unit, by unit and gate, such as `NALU gate`.

    A gate that depends on the input is the mean over a sample. The gates of a unit inside another
    layer, whose inputs can't be seen from outside, are left out.

    Args:
        population: the members, each a chain of layers.
        x: a sample of each member's inputs, `[M, examples, ..., in]`.

    Returns:
        `[M, units]` for each gate; empty if no unit has one.
    """

    def of_member(model: keras.Model, x: Any) -> dict[str, Any]:
        names = {id(unit): name for name, unit in named_units(model).items()}
        gates_of_units: dict[str, Any] = {}
        z = x
        for layer in model.layers:
            if isinstance(layer, keras.layers.InputLayer):
                continue
            y = layer(z)
            unit = unit_of(layer)
            if unit is not None and id(unit) in names:
                gates_of_units |= {
                    f"{names[id(unit)]} {key}": value
                    for key, value in unit.effective(_unit_inputs(layer, z, y)).items()
                    if key.startswith("gate")
                }
            z = y
        return gates_of_units

    return population(x, forward=of_member) if has_gates(population.model) else {}


def has_gates(model: keras.Model) -> bool:
    """Whether a layer of a model is or holds a unit that has a gate.

    Args:
        model: a model of the population.
    """
    units = (unit_of(layer) for layer in model.layers)
    return any(key.startswith("gate") for u in units if u is not None for key in u.facts().favours)


def _unit_inputs(layer: keras.layers.Layer, z: Any, y: Any) -> Any:
    """The inputs `[examples, in]` of a layer's unit, for the layer's inputs z and outputs y."""
    if isinstance(layer, keras.layers.RNN) and isinstance(layer.cell, UnitCell):
        first = ops.full_like(y[:, :1], layer.cell.initial_state)
        z = ops.concatenate([z, ops.concatenate([first, y[:, :-1]], axis=1)], axis=-1)
    return ops.reshape(z, (-1, z.shape[-1]))
