"""Each format shows a text as it stands, whatever it would mean there."""

import csv
import io

import pytest

from nalu_seq.reports.formats import latex, markdown, tidy_csv
from nalu_seq.reports.tables import Cell, Row, Table


def table(*labels: str) -> list[Table]:
    rows = [Row([label], [Cell("1", {"value": 1.0})]) for label in labels]
    return [Table(labels[0], ["unit"], ["solved"], rows, [labels[0]])]


@pytest.mark.parametrize(
    "text", ["\\input{/etc/passwd}", "\\write18{ls}", "a^^5cb", "~", "a&b%c$d#e_f{g}"]
)
def test_latex_has_no_command_of_a_label(text: str) -> None:
    line = next(
        x for x in latex(table("x", text)).splitlines() if x.endswith("& 1 \\\\") and x[0] != "x"
    )
    for allowed in ("textbackslash{}", "textasciicircum{}", "textasciitilde{}", *"&%$#_{}"):
        line = line.replace(f"\\{allowed}", "")
    assert not set(line.removesuffix(" & 1 \\\\")) & set("\\^~&%$#_{}"), line


def test_latex_has_no_command_of_a_title_or_a_note() -> None:
    title, note = latex(table("\\input{x} 95 %")).splitlines()[:2]
    assert title == note == r"% \textbackslash{}input\{x\} 95 \%"


def test_markdown_has_no_markup_of_a_label() -> None:
    shown = markdown(table("<script>x</script>", "a|b", "![x](javascript:y)", "`c`", "d\\|e"))
    assert "<script" not in shown and "](" not in shown
    assert {
        line.replace("\\\\", "").replace("\\|", "").count("|")
        for line in shown.splitlines()
        if line[:1] == "|"
    } == {3}


def test_csv_has_no_formula_of_a_label() -> None:
    shown = tidy_csv(table("=cmd|'/c calc'!A1", "@SUM(A1)", "+1+cmd", "-2+3", "-0.5", "1e-3"))
    units = [row["unit"] for row in csv.DictReader(io.StringIO(shown))]
    assert units == ["'=cmd|'/c calc'!A1", "'@SUM(A1)", "'+1+cmd", "'-2+3", "-0.5", "1e-3"]


def test_what_the_tables_say_themselves_is_as_it_was() -> None:
    said = ["23/25 [75, 98]", "U[1,2] × 3 → ∞", "task.lengths=[10, 20]", "6.1k [5.9k, 6.4k]"]
    assert all(text in markdown(table(text)) for text in said)
