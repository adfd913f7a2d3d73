"""The balance of a book of entries, by a network that was trained on ten entries at a time.

    python examples/books.py ledger.keras entries.csv

`ledger.keras` is a member of `python -m nalu_seq.train task=ledger`, exported
(docs/how-to/ledger.md). `entries.csv` has a line for each entry: add, subtract, ignore or nothing,
a comma, and an amount. An entry without a word counts as the one before it does, the first one as
add.
"""

import csv
import sys
from decimal import Decimal

import keras
import numpy as np

import nalu_seq.models  # noqa: F401 - the layers that the file is made of

WORDS = ["add", "subtract", "ignore", ""]  # in the order in which the network was trained
FACTORS = {"add": 1, "subtract": -1, "ignore": 0}


def read(path):
    """The words and the amounts, in hundredths, of a file of entries."""
    with open(path, newline="") as file:
        rows = [(word.strip(), int(100 * Decimal(amount))) for word, amount in csv.reader(file)]
    if unknown := {word for word, _ in rows} - {*WORDS}:
        print(f"{path}: {min(unknown)!r} is no word; add, subtract, ignore are", file=sys.stderr)
        sys.exit(2)
    return [word for word, _ in rows], np.asarray([amount for _, amount in rows])


def balances(words, amounts):
    """The balance after each entry, as a bookkeeper would write it."""
    factor, factors = 1, []
    for word in words:
        factor = FACTORS.get(word, factor)
        factors.append(factor)
    return np.cumsum(factors * amounts)


def predictions(model, words, amounts):
    """The balance after each entry, as the network says."""
    symbols = np.eye(len(WORDS))[[WORDS.index(word) for word in words]]
    x = np.concatenate([symbols, amounts[:, None]], axis=1)[None]  # [1, T, symbols + 1]
    return model.predict(x.astype("float32"), verbose=0)[0, :, 0]


if __name__ == "__main__":
    model, (words, amounts) = keras.saving.load_model(sys.argv[1]), read(sys.argv[2])
    true, said = balances(words, amounts), predictions(model, words, amounts)
    wrong = np.flatnonzero(np.round(said) != true)
    first = f"wrong from entry {wrong[0] + 1} on" if wrong.size else "every one right to the cent"
    print(f"{len(true):,} entries, balance {true[-1] / 100:,.2f}")
    print(f"the network says {said[-1] / 100:,.2f}; of its balances {first}")
