"""Put the tables of results/ into the README, between its markers; a test holds it to them."""

import re
from pathlib import Path

from nalu_seq.reports.formats import markdown
from nalu_seq.reports.summaries import find_runs, protocols
from nalu_seq.reports.tables import tables

ROOT = Path(__file__).parent.parent
MARKED = re.compile(r"<!-- (results/[^>]*) -->\n.*?<!-- end -->", re.DOTALL)


def _table(match: re.Match[str]) -> str:
    runs = [run for place in match[1].split() for run in find_runs(ROOT / place)[0]]
    first = [tables([group])[0] for group in protocols(runs)]
    return f"<!-- {match[1]} -->\n{markdown(first, notes=False)}\n<!-- end -->"


readme = ROOT / "README.md"
readme.write_text(MARKED.sub(_table, readme.read_text()))
