#!/usr/bin/env python
"""Print the table of units in docs/results.md: `.venv/bin/python scripts/units_table.py`."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import hydra.utils

from nalu_seq.config.options import shipped
from tests.units.exact import OPERATIONS, SOLUTIONS, verdict

TRASK = ("Trask et al. 2018", "1808.00508")
MADSEN = ("Madsen & Johansen 2020", "2001.05016")
HEIM = ("Heim et al. 2020", "2006.01681")
PRIMER = ("Mistry et al. 2022, Primer", "2101.09530")
MISTRY = ("Mistry et al. 2021", "2110.05177")
HOEDT = ("Hoedt et al. 2021", "2101.05186")
PAPERS = {
    "nac": TRASK,
    "nac_mul": TRASK,
    "nac_mul_sigmoid": MADSEN,
    "nac_mul_nmu": MADSEN,
    "nalu": TRASK,
    "nalu_independent": None,
    "nalu_nmu": MADSEN,
    "gnalu": PRIMER,
    "inalu": ("Schlör et al. 2020", "2003.07629"),
    "inalu_shared": ("Schlör et al. 2020", "2003.07629"),
    "nau": MADSEN,
    "nmu": MADSEN,
    "snmu": ("Mistry et al. 2022", "2211.05624"),
    "gated_nau_nmu": MADSEN,
    "npu": HEIM,
    "real_npu": HEIM,
    "nru": MISTRY,
    "nmru": MISTRY,
    "mcfc": HOEDT,
    "mul_mcfc": HOEDT,
    "mul_mcfc_inalu": PRIMER,
    "mul_mcfc_real_npu": PRIMER,
    "linear": None,
    "relu": None,
    "relu6": None,
}
HEADINGS = {"a * b": "a × b", "a - b": "a − b", "a^2": "a²", "sqrt a": "√a"}
MARKS = {"-": "–"}


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table() -> str:
    operations = [HEADINGS.get(o, o) for o in OPERATIONS]
    lines = [
        row(["`unit=`", "class", *operations, "parameters", "paper"]),
        row(["---"] * (len(operations) + 4)),
    ]
    for option in SOLUTIONS:
        cls = hydra.utils.get_class(shipped("unit", option)._target_)
        verdicts = [verdict(option, o) for o in OPERATIONS]
        layer = hydra.utils.instantiate(shipped("unit", option), _convert_="all")(units=1)
        layer.build((None, 2))
        paper = PAPERS[option]
        link = f"[{paper[0]}](https://arxiv.org/abs/{paper[1]})" if paper else ""
        cells = [MARKS.get(v, v) for v in verdicts]
        lines.append(
            row([f"`{option}`", f"`{cls.__name__}`", *cells, str(layer.count_params()), link])
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print("<!-- units -->", table(), "<!-- /units -->", sep="\n")
