"""The example that keeps books, with a network whose weights were set by hand."""

import functools
import random
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from nalu_seq import units
from nalu_seq.models import build, encoders
from nalu_seq.models.stack import accumulate_stack

BOOKS = Path(__file__).parents[2] / "examples" / "books.py"


def exact_ledger():
    """A simple RNN that holds the last of three words, under an NMU and a NAU.

    Its two states are near 1 after "subtract" and after "ignore", else near -1; a step without a
    word leaves them where they are. The factor is -(1 + 2 * first + second) / 2, rounded to
    a whole number.
    """
    encoder = functools.partial(encoders.routed, "rnn", 2, 1, "symbols")
    head = functools.partial(
        accumulate_stack, under=units.NMU, under_units=1, operation="sum", snap_factor=1
    )
    model = build(encoder, head, units.NAU, 5, 1)
    words = 20 * np.array([[-1, -1], [1, -1], [-1, 1], [0, 0]])  # add, subtract, ignore, none
    weights = [words, 5 * np.eye(2), [-2, -2], [[-1], [-0.5]], [-0.5], [[1], [1]], [[1]]]
    model.set_weights([np.asarray(weight, np.float32) for weight in weights])
    return model


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *files: Path) -> str:
    monkeypatch.setattr(sys, "argv", [str(BOOKS), *map(str, files)])
    capsys.readouterr()
    runpy.run_path(str(BOOKS), run_name="__main__")
    return capsys.readouterr().out


def test_a_books_balance_is_printed_beside_the_networks(tmp_path, capsys, monkeypatch) -> None:
    network, entries = tmp_path / "ledger.keras", tmp_path / "entries.csv"
    exact_ledger().save(network)
    entries.write_text(",10.50\nsubtract,3.25\n,1.00\nignore,99.99\nadd,2.00\n")
    assert run(capsys, monkeypatch, network, entries) == (
        "5 entries, balance 8.25\n"
        "the network says 8.25; of its balances every one right to the cent\n"
    )


def test_a_word_that_was_never_trained_is_named(tmp_path, capsys, monkeypatch) -> None:
    network, entries = tmp_path / "ledger.keras", tmp_path / "entries.csv"
    exact_ledger().save(network)
    entries.write_text("add,1.00\nsubstract,1.00\n")
    monkeypatch.setattr(sys, "argv", [str(BOOKS), str(network), str(entries)])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(BOOKS), run_name="__main__")
    assert left.value.code == 2 and "'substract' is no word" in capsys.readouterr().err


def test_five_hundred_entries_stay_right_and_a_wrong_one_is_named(
    tmp_path, capsys, monkeypatch
) -> None:
    network, entries = tmp_path / "ledger.keras", tmp_path / "entries.csv"
    draw, words = random.Random(0), ["add", "subtract", "ignore", "", "", ""]
    lines = [f"{draw.choice(words)},{draw.randint(1, 10_000) / 100:.2f}" for _ in range(500)]
    entries.write_text("\n".join(lines))
    model = exact_ledger()
    model.save(network)
    assert "every one right to the cent" in run(capsys, monkeypatch, network, entries)
    weights = model.get_weights()
    weights[3] = -weights[3]  # the factors are wrong
    model.set_weights(weights)
    model.save(network)
    assert "wrong from entry" in run(capsys, monkeypatch, network, entries)
