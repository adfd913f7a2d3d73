"""A certificate in words, and as JSON."""

from collections.abc import Sequence
from typing import Any

from nalu_seq.explanation.certificate import (
    CONFIDENCE,
    CYCLES,
    PROBABILITY,
    WHOLE_NUMBERS,
    Certificate,
    Certifier,
    Check,
)

HEADER = (
    "seed", "length", "95 % interval", "count", "drift a step", "95 % interval", "farthest", "any",
)  # fmt: skip


def statement(
    certifier: Certifier,
    certificates: Sequence[Certificate],
    checks: Sequence[Check],
    snap: float | None,
) -> list[str]:
    """The certificates of a run's members as a table, and what its columns mean.

    Args:
        certifier: the certifier that measured the members.
        certificates: the certificates that are printed.
        checks: the test of each certificate on sequences; empty if there was none.
        snap: the run's own `head.snap`.
    """
    table = [list(HEADER) + ["snapped"] + (["measured"] if checks else [])]
    for i, c in enumerate(certificates):
        row = [_name(c), _length(c.length[0]), _interval(c.length[1:], _length), f"y[{c.count}]"]
        row += [f"{c.drift[0]:.3g}", _interval(c.drift[1:], "{:.3g}".format), f"{c.farthest:.2g}"]
        row += ["-" if c.sure is None else f"{c.sure:,}", _length(c.snapped)]
        if checks:
            row.append(_length(checks[i].length) + (" REFUTED" if checks[i].refuted else ""))
        table.append(row)
    lines = _aligned(table)
    if len(certificates) == 1:
        lines += ["", *_increments(certificates[0])]
    return [*lines, "", *_notes(certifier, certificates, checks, snap)]


def header(certifier: Certifier, snap: float | None) -> dict[str, Any]:
    """The settings that all certificates of a run share, for JSON.

    Args:
        certifier: the certifier that measured the members.
        snap: the run's own `head.snap`.
    """
    return {
        "probability": PROBABILITY,
        "confidence": CONFIDENCE,
        "piece": certifier.piece,
        "word_length": certifier.word,
        "cycles": CYCLES,
        "whole_numbers": WHOLE_NUMBERS,
        "snap": snap,
    }


def as_dict(certificate: Certificate, check: Check | None) -> dict[str, Any]:
    """One member's certificate for JSON; docs/how-to/certificate.md says what each key holds.

    Args:
        certificate: the certificate of the member.
        check: its test on sequences; None if there was none.
    """
    c = certificate
    return {
        "case": c.case,
        "seed": c.seed,
        "length": c.length[0],
        "length_interval": c.length[1:],
        "count": c.count,
        "drift": c.drift[0],
        "drift_interval": c.drift[1:],
        "deviation": c.deviation,
        "farthest": c.farthest,
        "any_sequence": c.sure,
        "complete": c.complete,
        "snapped_length": c.snapped,
        "float32_length": c.end,
        "increments": [
            {"word": i.word, "counts": i.counts, "mean": i.mean, "farthest": i.farthest}
            for i in c.increments
        ],
        "check": check and {"steps": check.steps, "length": check.length, "refuted": check.refuted},
    }


def _notes(
    certifier: Certifier,
    certificates: Sequence[Certificate],
    checks: Sequence[Check],
    snap: float | None,
) -> list[str]:
    steps = f"every word of {certifier.word} symbols, {CYCLES} times"
    complete = all(c.complete for c in certificates)
    reads_its_total = any(c.sure is None for c in certificates)
    ends = f"{WHOLE_NUMBERS:,}, where float32's whole numbers end"
    notes = [
        f"length: some count has rounded wrong in {PROBABILITY:.0%} of the sequences, each symbol "
        f"equally probable, fed in pieces of {certifier.piece:,} steps; end: none has before "
        f"counts pass {ends} (at length {certificates[0].end:,} in the mean)",
        "count: the one that is wrong first, and its drift",
        f"farthest: how far an increment was from its whole number at most, of {steps}"
        + ("; there are no others, as nothing but the symbol itself is read" if complete else ""),
        "any: no sequence is wrong up to there, whatever its symbols are"
        + ("" if complete else ", if no increment is farther off than the farthest measured")
        + ("; -: not said, as the unit reads its own total" if reads_its_total else ""),
        "snapped: the length with each increment rounded to a whole number; end: right up to "
        + f"counts of {ends}",
        f"this run rounds its increments: the column snapped is its own (head.snap={snap:g})"
        if snap
        else "this run does not round its increments: head.snap=1 would",
    ]
    if checks:
        notes.append(
            f"measured: where {PROBABILITY:.0%} of {checks[0].sequences} sequences of "
            f"{checks[0].steps:,} steps were wrong; end: nowhere"
        )
    return notes


def _increments(certificate: Certificate) -> list[str]:
    """A line for each word of symbols."""
    lines = []
    for increment in certificate.increments:
        *before, symbol = increment.word
        after = f" after {', '.join(map(str, before))}" if before else ""
        added = [
            f"{mean:.7g} to y[{output}]"
            for output, (true, mean) in enumerate(
                zip(increment.counts, increment.mean, strict=True)
            )
            if true
        ]
        others = [
            abs(mean)
            for true, mean in zip(increment.counts, increment.mean, strict=True)
            if not true
        ]
        if others:
            added.append(
                f"{max(others):.2g} at most to any other" if added else f"{max(others):.2g} at most"
            )
        lines.append(
            f"symbol {symbol}{after} adds {', '.join(added)} in the mean "
            f"(farthest off: {increment.farthest:.2g})"
        )
    return lines


def _name(certificate: Certificate) -> str:
    case = "" if certificate.case == "default" else f", {certificate.case}"
    return f"{certificate.seed}{case}"


def _length(length: int | None) -> str:
    return "end" if length is None else f"{length:,}"


def _interval(ends: Sequence[Any], text: Any) -> str:
    return f"[{text(ends[0])}, {text(ends[1])}]"


def _aligned(table: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in table]
