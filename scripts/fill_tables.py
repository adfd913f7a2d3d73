"""Put the tables of results/ into the README and docs/results.md: `scripts/fill_tables.py`.

A table stands between `<!-- results/NAME ... -->` and `<!-- end -->`; tests/test_docs.py holds each
to what its folders say.
"""

import re
from pathlib import Path

from nalu_seq.reports.formats import markdown
from nalu_seq.reports.summaries import find_runs, protocols
from nalu_seq.reports.tables import tables

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/results.md")
MARKED = re.compile(r"<!-- (results/[^>]*) -->\n.*?<!-- end -->", re.DOTALL)


def table(places: str) -> str:
    """The table of the runs in some folders, as Markdown.

    Args:
        places: folders below the checkout, with spaces between them.
    """
    runs = [run for place in places.split() for run in find_runs(ROOT / place)[0]]
    return markdown([tables([group])[0] for group in protocols(runs)], notes=False)


if __name__ == "__main__":
    for page in PAGES:
        path = ROOT / page
        filled = MARKED.sub(
            lambda match: f"<!-- {match[1]} -->\n{table(match[1])}\n<!-- end -->", path.read_text()
        )
        path.write_text(filled)
