"""Which published figures a run corresponds to: a file for each publication.

A file has the name of its source in small letters. Its FINDERS, one for each table or figure, are
functions of a run, a case's name (or `ALL`) and a split's name; they yield a `Match` where the
publication has this split.
"""

import importlib
import pkgutil

from nalu_seq.reports.published import Match
from nalu_seq.reports.summaries import Run


def matches(source: str, run: Run, case: str, split: str) -> list[Match]:
    """The places in a publication that a split of a run corresponds to.

    Args:
        source: the name of the publication, such as `Madsen2020`.
        run: the run that is compared.
        case: the name of one of its cases, or `ALL` for its cases together.
        split: the name of one of its splits.

    Returns:
        The tables or figures with the model and the operation; empty if the publication has none.
    """
    if source.lower() not in {module.name for module in pkgutil.iter_modules(__path__)}:
        return []
    paper = importlib.import_module(f"{__name__}.{source.lower()}")
    return [match for find in paper.FINDERS for match in find(run, case, split)]
