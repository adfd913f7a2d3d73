"""Which published figures a run corresponds to: a file for each publication."""

import importlib
import pkgutil

from nalu_seq.reports.published import Match
from nalu_seq.reports.summaries import Run


def matches(source: str, run: Run, case: str, split: str) -> list[Match]:
    """The places in a publication that a split of a run corresponds to.

    Args:
        source: the name of the publication, such as `Madsen2020`; its file has the name in small
            letters.
        run: the run that is compared.
        case: the name of one of its cases, or `ALL` for its cases together.
        split: the name of one of its splits.

    Returns:
        The tables or figures with the model and the operation; empty if the publication has none.
    """
    if source.lower() not in {module.name for module in pkgutil.iter_modules(__path__)}:
        return []
    paper = importlib.import_module(f"{__name__}.{source.lower()}")
    return list(paper.matches(run, case, split))
