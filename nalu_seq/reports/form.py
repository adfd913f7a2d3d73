"""What a summary.json must hold to be reported on, whoever wrote it."""

from typing import Any, get_args

from nalu_seq.config.cases import MOST_MEMBERS
from nalu_seq.records.files import texts

LONGEST = 10_000  # characters of a text; ours, lists of settings among them, have hundreds
GROUPS = ("encoder", "head", "unit")
# What a summary must hold, and of which type. A file that differs is refused, whoever wrote it.
MAYBE = int | float | None
OF_A_RESULT = {
    "case": str, "split": str, "metric": str, "median": MAYBE, "min": MAYBE, "max": MAYBE,
    "n": int, "success_rate": MAYBE,
}  # fmt: skip
OF_A_MEMBER = {
    "case": str, "seed": int, "selected_step": MAYBE, "solved": {str: bool},
    "solved_at": {str: int | None},
}  # fmt: skip
NEEDED = {
    "status": str, "task": str, **dict.fromkeys(GROUPS, str), "seeds": [int], "steps": int,
    "wall_seconds": MAYBE, "results": [OF_A_RESULT],
}  # fmt: skip
OPTIONAL = {
    "experiment": str | None, "config": {str: bool | int | float | str}, "members": [OF_A_MEMBER],
    "cases": [str], "diverged": [{"case": str, "seed": int, "step": int}], "devices": [str],
    "versions": {str: str}, "git_commit": str | None,
}  # fmt: skip


def unusable(summary: Any) -> str | None:
    """The reason why a summary can't be reported on; None if it can.

    Args:
        summary: what was read from JSON.
    """
    if not fits(summary, NEEDED) or not all(
        summary.get(key) is None or fits(summary[key], kind) for key, kind in OPTIONAL.items()
    ):
        return "its summary.json is not as nalu_seq writes it"
    if max(map(len, texts(summary))) > LONGEST:
        return f"its summary.json has a text of more than {LONGEST} characters"
    if summary["status"] != "done":
        return f"it is {summary['status']}"
    if not summary["results"] or not summary["seeds"]:
        return "it has no measurements"
    if not all(map(_can_be, summary["results"])) or not summary["steps"] >= 0:
        return "its summary.json has impossible figures"
    if not all(_is_complete(m, summary) for m in summary.get("members") or []):
        return "its summary.json is not as nalu_seq writes it"
    return None


def fits(value: Any, kind: Any) -> bool:
    """Whether a value that was read from JSON has the expected form.

    Args:
        value: what was read.
        kind: a type or union of types, a list with the form of each element, a dict with the form
            of each required key, or `{str: form}` for a dict with any keys.
    """
    if isinstance(kind, list):
        return isinstance(value, list) and all(fits(v, kind[0]) for v in value)
    if not isinstance(kind, dict):
        return type(value) in (get_args(kind) or (kind,))  # not isinstance: True is an int
    if not isinstance(value, dict):
        return False
    if str in kind:
        return all(fits(v, kind[str]) for v in value.values())
    return all(key in value and fits(value[key], k) for key, k in kind.items())


def _is_complete(member: dict[str, Any], summary: dict[str, Any]) -> bool:
    """Whether a member has the same splits and keys as the first, with possible figures."""
    first = summary["members"][0]
    figures = {key: value for key, value in member.items() if key not in OF_A_MEMBER}
    by_split = {key: value for key, value in member.items() if isinstance(value, dict)}
    splits = {key: {*value} for key, value in first.items() if isinstance(value, dict)}
    return (
        {*member} == {*first}
        and {key: {*value} for key, value in by_split.items()} == splits
        and all({*value} >= {*member["solved"]} != set() for value in by_split.values())
        and all(member["solved_at"][k] is not None for k, yes in member["solved"].items() if yes)
        and all(at is None or 0 <= at <= summary["steps"] for at in member["solved_at"].values())
        and all(fits(value, MAYBE) or fits(value, {str: MAYBE}) for value in figures.values())
        and len(by_split) > 2  # `solved`, `solved_at`, and the metric that decides
    )


def _can_be(result: dict[str, Any]) -> bool:
    """Whether a result is possible: its count and rate in range, the median between extremes."""
    figures = [result[key] for key in ("min", "median", "max")]
    known = [figure for figure in figures if figure is not None]
    rate = result["success_rate"]
    return (
        0 <= result["n"] <= MOST_MEMBERS
        and (rate is None or (0 <= rate <= 1 and result["n"] > 0))
        and (None not in figures or figures[1] is None)
        and known == sorted(known)
    )
