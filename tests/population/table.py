"""Write docs/population.md's table of all that Keras has: `python -m tests.population.table`.

What the table has is left as it is, so that an interrupted run goes on; `--again` tries all.
"""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.population.catalogue import attempt, everything
from tests.population.differential import Outcome

PAGE = Path(__file__).resolve().parents[2] / "docs" / "population.md"
WORDS = {
    "works": "works",
    "loop": "works with `loop=True`",
    "refused": "refused",
    "keras": "not by Keras' own `fit`",
    "none": "-",
    "untried": "not tried yet",
}
UNTRIED = Outcome("untried")


def read() -> dict[tuple[str, str], Outcome]:
    """What the page's table has."""
    kinds = {word: kind for kind, word in WORDS.items()}
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \| (.*?) \| (.*?) ?\|$", PAGE.read_text(), flags=re.M)
    return {(kind, name): Outcome(kinds[word], why) for kind, name, word, why in rows}


def write(outcomes: Mapping[tuple[str, str], Outcome]) -> None:
    """Put the outcomes into the page, in the order of the reflection."""
    rows = ["| kind | name | | why |", "|---|---|---|---|"]
    for kind, name in everything():
        outcome = outcomes.get((kind, name), UNTRIED)
        why = outcome.why.replace("|", "/")
        rows.append(f"| {kind} | `{name}` | {WORDS[outcome.kind]} | {why} |")
    table = "<!-- table -->\n" + "\n".join(rows) + "\n<!-- end of table -->"
    marks = r"<!-- table -->.*<!-- end of table -->"
    PAGE.write_text(re.sub(marks, lambda _: table, PAGE.read_text(), flags=re.S))


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())
    outcomes, differ = {} if "--again" in sys.argv else read(), []
    for one in everything():
        if outcomes.get(one, UNTRIED) == UNTRIED:
            outcome = attempt(*one)
            if outcome.kind == "different":
                differ.append(f"{one}: {outcome.why}")
                print(differ[-1], flush=True)
                continue
            outcomes[one] = outcome
            write(outcomes)
    sys.exit(len(differ) > 0)
