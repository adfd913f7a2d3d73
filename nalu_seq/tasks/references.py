"""Thresholds of success from a reference: a model whose accumulation is perfect by construction."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from nalu_seq.errors import BadInput
from nalu_seq.records.record import read_record

LEVEL = 0.99
FEWEST = 2  # members that a standard deviation needs
READS = 0.9  # the share of digits that a reference reads which has learned its task


def reference_thresholds(
    reference: str, splits: Sequence[str]
) -> Mapping[str, Mapping[str, float]]:
    """For each split the largest mean squared error that passes for a solved one.

        mean + t(0.99, n - 1) * sd / sqrt(n)

    over the members of the reference at its last step. Members that read fewer than nine of ten
    digits of the validation part have not learned to read, and are left out; Madsen & Johansen left
    such members out by hand.

    Args:
        reference: a run's directory, or a folder that kept its metrics.csv.
        splits: the splits to be judged.

    Raises:
        BadInput: there is no such record, or it has too few members, or not all splits.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), the sequential MNIST tasks.
    """
    path = Path(reference) / "metrics.csv"
    if not path.is_file():
        raise BadInput(f"task.reference={reference}: it has no metrics.csv, so it is no run")
    values: dict[tuple[str, str], dict[int, float]] = {}
    rows = read_record(path)
    last = max(row.step for row in rows)
    for row in rows:
        if row.step == last:
            values.setdefault((row.split, row.metric), {})[row.seed] = row.value
    accuracies = values.get(("validation", "digit_accuracy"), {})
    readers = [seed for seed, share in accuracies.items() if share >= READS]
    if len(readers) < FEWEST:
        raise BadInput(
            f"task.reference={reference}: {len(readers)} of its {len(accuracies)} members read "
            f"{READS:.0%} of the digits, and a threshold needs {FEWEST}"
        )
    thresholds = {}
    for split in splits:
        if (split, "mse") not in values:
            raise BadInput(
                f"task.reference={reference}: it was not measured on {split}: train it with the "
                "same task.lengths"
            )
        errors = np.array([values[split, "mse"][seed] for seed in readers])
        margin = stdtrit(len(errors) - 1, LEVEL) / np.sqrt(len(errors))
        thresholds[split] = {"default": float(errors.mean() + margin * errors.std(ddof=1))}
    return thresholds
