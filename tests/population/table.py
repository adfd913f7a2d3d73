"""Write docs/population.md's table of all that Keras has: `python tests/population/table.py`."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from catalogue import attempt, everything
from differential import Outcome

PAGE = Path(__file__).resolve().parents[2] / "docs" / "population.md"
WORDS = {
    "works": "works",
    "loop": "works with `loop=True`",
    "refused": "refused",
    "keras": "not by Keras' own `fit`",
    "none": "-",
    "different": "**different**",
}


def write(outcomes: Mapping[tuple[str, str], Outcome]) -> None:
    """Put the outcomes into the page."""
    rows = ["| kind | name | | why |", "|---|---|---|---|"]
    for (kind, name), outcome in outcomes.items():
        why = outcome.why.replace("|", "\\|")
        rows.append(f"| {kind} | `{name}` | {WORDS[outcome.kind]} | {why} |")
    made = "<!-- table -->\n" + "\n".join(rows) + "\n<!-- end of table -->"
    text = re.sub(
        r"<!-- table -->.*<!-- end of table -->", lambda _: made, PAGE.read_text(), flags=re.S
    )
    PAGE.write_text(text)


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())
    write({(kind, name): attempt(kind, name) for kind, name in everything()})
