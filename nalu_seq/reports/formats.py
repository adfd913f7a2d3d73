"""Tables as text for a terminal, Markdown, LaTeX and CSV; `page.py` has HTML."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from textwrap import fill
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from nalu_seq.reports.tables import Table

WIDTH = 100  # characters in a line where the output is no terminal
_TEX = {
    "×": r"$\times$",
    "−": "$-$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    **{c: rf"\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}
# Texts that Markdown or HTML would take for markup (a cell's end, a tag, a link, code), escaped.
_MARKUP = {"\\": r"\\", "|": r"\|", "<": "&lt;", "`": r"\`", "](": r"]\("}
FORMULA = ("=", "+", "-", "@")  # a spreadsheet takes a cell that begins so for a formula


def text(tables: Sequence[Table]) -> str:
    """Tables as text, as wide as the terminal, or 100 characters where there is none.

    Args:
        tables: what is shown, one below the other.
    """
    terminal = Console()
    width = terminal.width if terminal.is_terminal else WIDTH
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=terminal.is_terminal, no_color=terminal.no_color
    )
    for table in tables:
        if table.title:
            console.print(Text(table.title, style="bold"))
        if table.rows:
            console.print(_rich(table, width))
        for note in table.notes:
            console.print(Text(note, style="dim"))
        console.print()
    return out.getvalue().rstrip("\n")


def markdown(tables: Sequence[Table], notes: bool = True) -> str:
    """Tables in Markdown.

    Args:
        tables: what is shown, one below the other.
        notes: whether the notes under each table are written too.
    """
    return "\n\n".join(_markdown(table, notes) for table in tables)


def latex(tables: Sequence[Table]) -> str:
    """Tables in LaTeX, for the package booktabs; titles and notes are comments.

    Args:
        tables: what is shown, one below the other.
    """
    return "\n\n".join(_latex(table) for table in tables)


def tidy_csv(tables: Sequence[Table]) -> str:
    """Tables as one CSV, a row for each cell with its figures as numbers.

    Args:
        tables: what is written; columns that a table does not have are empty in its rows.

    Returns:
        The CSV with its header; texts that a spreadsheet would compute begin with an apostrophe.
    """
    rows = []
    for table in tables:
        for row in table.rows:
            fields = {"table": table.title, **dict(zip(table.labels, row.labels, strict=True))}
            for column, cell in zip(table.columns, row.cells, strict=True):
                if cell.facts:
                    facts = {**fields, "column": column, **cell.facts}
                    rows.append({_no_formula(key): _no_formula(v) for key, v in facts.items()})
    labels = dict.fromkeys(label for table in tables for label in table.labels)
    facts = dict.fromkeys(f for t in tables for r in t.rows for c in r.cells for f in c.facts)
    header = dict.fromkeys(map(_no_formula, ["table", *labels, "column", *facts]))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(header), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().rstrip("\n")


FORMATS: dict[str, Callable[[Sequence[Table]], str]] = {
    "text": text,
    "md": markdown,
    "tex": latex,
    "csv": tidy_csv,
}


def _rich(table: Table, width: int) -> RichTable:
    columns = [list(column) for column in zip(*table.texts(), strict=True)]
    labels = len(table.labels)
    gap = 2 if _width(columns, 2) <= width else 1
    if gap == 1:
        for column in columns[:labels]:
            column[0] = column[0].replace(".", ".\n")
    # Where the table is too wide, the widest columns put their intervals below their figures.
    for i in sorted(range(labels, len(columns)), key=lambda i: -_width(columns[i : i + 1], 0)):
        if _width(columns, gap) > width:
            columns[i] = [
                columns[i][0].replace(",", ",\n").replace(" ", "\n"),
                *map(_break_cell, columns[i][1:]),
            ]
    rich_table = RichTable(
        box=SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False, show_edge=False
    )
    for i, (name, *cells) in enumerate(columns):
        wide = max(1, *map(_longest, cells))
        header = "\n".join(fill(x, wide, break_long_words=False) for x in name.split("\n"))
        rich_table.add_column(
            Text(header), overflow="fold", justify="left" if i < labels else "right"
        )
    for row in zip(*(column[1:] for column in columns), strict=True):
        rich_table.add_row(*map(Text, row))
    return rich_table


def _width(columns: Sequence[Sequence[str]], gap: int) -> int:
    """The width of columns in characters, with each header broken into its words."""
    widths = [max(map(_longest, [*name.split(), *cells, ""])) for name, *cells in columns]
    return sum(widths) + gap * (len(columns) - 1)


def _longest(cell: str) -> int:
    return max(map(len, cell.split("\n")))


def _break_cell(cell: str) -> str:
    """A cell in two lines: broken behind its interval if more follows, else before it."""
    if "], " in cell:
        return cell.replace("], ", "]\n")
    figure, bracket, interval = cell.partition(" [")
    return f"{figure}\n[{interval.replace(', ', ',', 1)}" if bracket else cell


def _no_formula(value: Any) -> Any:
    """The value with an apostrophe before a text that a spreadsheet would compute."""
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _plain(text: str) -> str:
    """The text with its Markdown and HTML markup escaped."""
    return re.sub("|".join(map(re.escape, _MARKUP)), lambda m: _MARKUP[m[0]], text)


def _markdown(table: Table, notes: bool) -> str:
    blocks = [f"**{_plain(table.title)}**"] if table.title else []
    if table.rows:
        header, *body = ([_plain(cell) for cell in line] for line in table.texts())
        lines = [header, ["---"] * len(header), *body]
        blocks.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join([*blocks, *(map(_plain, table.notes) if notes else [])])


def _latex(table: Table) -> str:
    # Escaped as cells are: a note that someone moves out of its comment is text, not a command.
    notes = [f"% {_escape_tex(note)}" for note in (table.title, *table.notes) if note]
    if not table.rows:
        return "\n".join(notes)
    header, *body = ([_escape_tex(cell) for cell in line] for line in table.texts())
    columns = "l" * len(table.labels) + "r" * len(table.columns)
    rows = [" & ".join(line) + r" \\" for line in body]
    return "\n".join(
        [
            *notes,
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(header) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _escape_tex(cell: str) -> str:
    # A bracket at the start of a row would be taken for an argument of the line break before it.
    escaped = re.sub("|".join(map(re.escape, _TEX)), lambda m: _TEX[m[0]], cell)
    return f"{{{escaped}}}" if escaped.startswith("[") else escaped
