"""The page: that it holds what was found, needs nothing else, and stands up in a browser."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nalu_seq.reports.page import LearnedWeights, page
from nalu_seq.reports.summaries import find_runs, protocols
from nalu_seq.reports.tables import tables

Write = Callable[..., Path]
HOSTILE = "</script><script>alert('x')</script>\"'&"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Put into a frame before the page: what it finds wrong while the page runs.
WATCH = "<script>window.wrong=[];window.onerror=(m)=>{window.wrong.push(String(m))}</script>"
CHECK = """
<body><pre id="out"></pre><script>
const found = {}, pages = PAGES;
addEventListener("load", async () => {
  for (const width of [1280, 390]) {
    const frame = document.createElement("iframe");
    frame.style.cssText = `width:${width}px;height:900px;border:0`;
    frame.srcdoc = pages;
    document.body.append(frame);
    await new Promise((done) => { frame.onload = done; });
    const doc = frame.contentDocument, view = frame.contentWindow;
    for (const details of doc.querySelectorAll("details")) details.open = true;
    const charts = [...doc.querySelectorAll(".chart > svg")];
    const empty = charts.filter((svg) => {
      const box = svg.getBBox();
      return box.width < 40 || box.height < 20 || !svg.querySelector("polyline, .dot, .cell");
    });
    const tips = charts.map((svg) => {
      const line = svg.querySelector(".line"), target = svg.querySelector("[data-tip]");
      let where, place;
      if (line) {
        const [x, y] = JSON.parse(line.dataset.tips).at(-1);
        place = new view.DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
        where = svg;
      } else {
        place = { x: 1, y: 1 };
        where = target;
      }
      const at = { clientX: place.x, clientY: place.y, bubbles: true };
      where.dispatchEvent(new view.PointerEvent("pointermove", at));
      const tip = doc.getElementById("tip");
      return tip.style.display === "block" ? tip.textContent : "";
    });
    const cut = [...doc.querySelectorAll(".chart > svg text")].filter((text) => {
      const box = text.getBoundingClientRect();
      return box.width && (box.left < -1 || box.right > width + 1);
    });
    const unlabelled = charts.filter((svg) => !svg.querySelector("text.label"));
    const header = doc.querySelector("th button"), body = header.closest("table").tBodies[0];
    const rows = () => [...body.rows].map((row) => row.cells[0].textContent);
    header.click();
    const up = rows();
    header.click();
    found[width] = {
      wide: doc.documentElement.scrollWidth, charts: charts.length, empty: empty.length,
      tips, cut: cut.length, unlabelled: unlabelled.length, wrong: view.wrong, up, down: rows(),
    };
  }
  document.getElementById("out").textContent = JSON.stringify(found);
});
</script></body>"""


class Parsed(HTMLParser):
    """Which elements a page has, and what they point to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href")]


@pytest.fixture
def text(write: Write) -> str:
    """A page of three runs with members, records, weights and a diverged member."""
    places = []
    for i, unit in enumerate(("nau", "nmu", "nalu")):
        place = write(
            unit, {"U[1,2]": [1000, None, 3000]}, unit=unit,
            diverged=[{"case": "U[1,2]", "seed": 1, "step": 70}],
        )  # fmt: skip
        rows = [
            f"{step},U[1;2],{seed},{split},{metric},{10.0 ** -(step / 500 + seed + i)}\n"
            for step in (0, 500, 1000)
            for split, metric in (("validation", "mse"), ("extrapolation", "mse"))
            for seed in range(3)
        ]
        (place / "metrics.csv").write_text("step,case,seed,split,metric,value\n" + "".join(rows))
        (place / ".hydra").mkdir()
        (place / ".hydra" / "overrides.yaml").write_text(f"- task=single_module\n- unit={unit}\n")
        places.append(place)
    runs = [run for place in places for run in find_runs(place)[0]]
    weights = np.array([[[1.0], [-0.5]], [[np.nan], [0.0]], [[1.0], [0.25]]])
    learned = {
        runs[0].place: LearnedWeights(["seed 0", "seed 1", "seed 2"], {"NAU W": weights}, [HOSTILE])
    }
    groups = protocols(runs)
    return page(groups, tables(groups), learned)


def test_page_needs_no_other_file_and_is_well_formed(text: str) -> None:
    parsed = Parsed(text)
    assert parsed.links == ["data:,"]
    assert "url(" not in text and "@import" not in text
    assert parsed.tags.count("script") == 1  # what a run says makes no other
    assert html.escape(HOSTILE) in text
    for tag in ("section", "svg", "table", "details", "figure"):
        assert len(re.findall(rf"<{tag}[ >]", text)) == text.count(f"</{tag}>"), tag


def test_page_tells_what_was_asked_and_found(text: str) -> None:
    assert "python -m nalu_seq.train task=single_module unit=nmu" in text
    assert "6 of 9" in text and "solved extrapolation" in text
    assert "nmu: seed 1, U[1,2] diverged at step 70." in text
    assert "mean squared error" in text and "training step" in text
    assert text.count('class="member') == 2 * 3 * 3  # two splits, three runs, three seeds
    assert "input 1, output 0: -0.5" in text


def test_page_of_summaries_alone_has_their_errors_by_split(write: Write) -> None:
    results = [
        {"case": "default", "split": f"length_{n}", "metric": "mae", "median": 0.1 * n, "min": 0.0,
         "max": 1.0 * n, "n": 2, "success_rate": None}
        for n in (10, 1000)
    ]  # fmt: skip
    place = write("early", {"default": [1]}, results=results, members=None, config=None)
    groups = protocols(find_runs(place)[0])
    shown = page(groups, tables(groups))
    assert "length 1,000: median 1e2" in shown and "Its command was not recorded" in shown


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_page_stands_up_in_a_browser(text: str, tmp_path: Path) -> None:
    """At the width of a desktop's window and of a phone's: no error, nothing cut, all read out."""
    framed = json.dumps(text.replace("<style>", f"{WATCH}<style>", 1)).replace("</", "<\\/")
    (tmp_path / "check.html").write_text(CHECK.replace("PAGES", framed))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000"]
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
         (tmp_path / "check.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    match = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match and match[1], done.stderr[-500:]
    layout: dict[str, Any] = json.loads(html.unescape(match[1]))
    for width in ("1280", "390"):
        at = layout[width]
        assert at["wrong"] == [] and at["wide"] <= int(width), width
        assert at["charts"] == 2 + 2 + 3, "solved, by split; two splits by step; three matrices"
        assert at["empty"] == at["cut"] == at["unlabelled"] == 0, width
        assert all(at["tips"]), at["tips"]
        assert at["down"] == at["up"][::-1] and at["up"] == sorted(at["up"]), "sorted by a click"
