"""Put the tables of results/ into the README and docs/results.md: `scripts/fill_tables.py`.

A table stands between `<!-- results/NAME ... -->` and `<!-- end -->`. Between `<!-- published -->`
and `<!-- end -->` stands what of results/ was compared with published figures; why cells are marked
is written in results/marks.csv. `<!-- Trask2018, Table 1: results/NAME ... -->` begins a table with
the rows and columns of that publication's. tests/test_docs.py holds each to what its folders say.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nalu_seq.reports.beside import Tally, compare, tally
from nalu_seq.reports.formats import markdown
from nalu_seq.reports.published import sources
from nalu_seq.reports.summaries import Run, find_runs, protocols
from nalu_seq.reports.tables import Cell, Row, Table, drop_equal_labels, tables

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/results.md")
PLACES = r"(?:\w+, [^:>]*: )?results/[^>]*|published"
MARKED = re.compile(rf"<!-- ({PLACES}) -->\n.*?<!-- end -->", re.DOTALL)
MARKS = ROOT / "results" / "marks.csv"


def table(places: str) -> str:
    """The table of the runs in some folders, as Markdown.

    Args:
        places: folders below the checkout, with spaces between them; `published`, for the table of
            all comparisons with published figures; or a publication's table and folders, as in
            `Trask2018, Table 1: results/trask_static`.
    """
    if places == "published":
        return markdown([comparisons()], notes=False)
    if ": " in places:
        return markdown([as_printed(*places.split(": "))], notes=False)
    runs = [run for place in places.split() for run in find_runs(ROOT / place)[0]]
    return markdown([tables([group])[0] for group in protocols(runs)], notes=False)


def comparisons() -> Table:
    """What of results/ was compared with which published table, how much is marked, and why.

    A comparison whose published cells another row has too, or whose runs were trained otherwise
    than the published ones, is shown and not added up.
    """
    known = marks()
    rows, compared, marked = [], 0, 0
    for folder, source, counts in tallies():
        mark = known.get((folder, source, counts.table), Mark("", added=True))
        if mark.added:
            compared, marked = compared + counts.compared, marked + counts.marked
        cells = [*map(str, counts[1:]), mark.why]
        rows.append(Row([source, counts.table, folder], [Cell(text) for text in cells]))
    share = f"{marked / compared:.1%} marked; chance alone would mark about 5 %"
    cells = [Cell(text) for text in (str(compared), str(marked), "", share)]
    columns = ["compared", "marked", "shorter", "why"]
    rows.append(Row(["all that were trained as published", "", ""], cells))
    return Table("", ["publication", "table", "results/"], columns, rows, [])


def as_printed(printed: str, places: str) -> Table:
    """Our figures in the rows and columns of a published table, the published ones after them.

    Args:
        printed: the publication's name and its table, such as `Trask2018, Table 1`.
        places: folders of results/, with spaces between them.
    """
    source, name = printed.split(", ", 1)
    runs = [run for place in places.split() for run in kept(ROOT / place)]
    compared = [c for c in compare(runs, source) if c.fact.table == name]
    columns = list(dict.fromkeys(c.fact.model for c in compared))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for c in compared:
        ours, theirs, _ = (cell.text for cell in c.cells)
        rows.setdefault((c.fact.task, c.fact.op, c.quantity), {})[c.fact.model] = (
            f"{ours}; {theirs}"
        )
    cells = [Row([*key], [Cell(row.get(m, "")) for m in columns]) for key, row in rows.items()]
    return drop_equal_labels(Table("", ["task", "operation", "figure"], columns, cells, []))


def tallies() -> Iterator[tuple[str, str, Tally]]:
    """The folder of results/, the publication and the counts of each comparison."""
    for folder in sorted(path for path in (ROOT / "results").iterdir() if path.is_dir()):
        runs = kept(folder)
        for source in sources():
            for counts in tally(runs, source):
                yield folder.name, source, counts


def kept(folder: Path) -> list[Run]:
    """The runs in a folder of results/: its own, or those of the folders in it.

    Args:
        folder: a folder of results/.
    """
    try:
        return find_runs(folder)[0]
    except ValueError:
        return [run for path in sorted(folder.iterdir()) if path.is_dir() for run in kept(path)]


class Mark(NamedTuple):
    """Why cells of a comparison are marked.

    Attributes:
        why: the reason, as a run has shown it.
        added: whether the comparison counts in the sum of all.
    """

    why: str
    added: bool


def marks() -> dict[tuple[str, str, str], Mark]:
    """results/marks.csv: by the folder of results/, the publication and its table."""
    with MARKS.open(encoding="utf-8", newline="") as lines:
        return {
            (row["results"], row["publication"], row["table"]): Mark(
                row["why"], row["added"] == "yes"
            )
            for row in csv.DictReader(lines)
        }


if __name__ == "__main__":
    for page in PAGES:
        path = ROOT / page
        filled = MARKED.sub(
            lambda match: f"<!-- {match[1]} -->\n{table(match[1])}\n<!-- end -->", path.read_text()
        )
        path.write_text(filled)
