"""What is fed in pieces gives what the whole gives, or is named."""

from typing import Any

import keras
import numpy as np
import pytest

from nalu_seq.models import build, build_stateful, encoders, heads
from nalu_seq.models.pieces import differs_in_pieces
from nalu_seq.units import NALU

SIZES = {"input_size": 3, "output_size": 2}


def readout(unit: keras.layers.Layer, **how: bool) -> keras.layers.Layer:
    return heads.readout(unit, **how)


def stacked(*, unroll: bool, return_state: bool) -> keras.layers.Layer:
    """Cells on cells, whose states are lists in a list."""
    return keras.layers.RNN(
        [keras.layers.LSTMCell(4), keras.layers.GRUCell(5)],
        return_sequences=True,
        unroll=unroll,
        return_state=return_state,
    )


def backwards(*, unroll: bool, return_state: bool) -> keras.layers.Layer:
    del return_state
    return keras.layers.SimpleRNN(
        4, return_sequences=True, go_backwards=True, unroll=unroll, name="backwards"
    )


def test_cells_on_cells_are_fed_in_pieces() -> None:
    assert differs_in_pieces(stacked, readout, NALU, **SIZES) == {}
    whole = build(stacked, readout, NALU, **SIZES)
    stateful = build_stateful(stacked, readout, NALU, **SIZES)
    assert [s.shape for s in stateful.initial_states] == [(1, 4), (1, 4), (1, 5)]
    stateful.model.set_weights(whole.get_weights())
    x = np.random.default_rng(0).normal(size=(1, 9, 3)).astype(np.float32)
    states: list[Any] = stateful.initial_states
    pieces = []
    for part in (x[:, :4], x[:, 4:]):
        y, *states = stateful.model([keras.ops.convert_to_tensor(a) for a in (part, *states)])
        pieces.append(y)
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["encoder", "head"])
def test_what_looks_at_later_steps_is_named(kind: str) -> None:
    if kind == "encoder":
        layers = differs_in_pieces(backwards, readout, NALU, **SIZES)
    else:
        layers = differs_in_pieces(encoders.none, lambda _, **how: backwards(**how), NALU, **SIZES)
    assert layers == {kind: "backwards"}
