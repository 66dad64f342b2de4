"""Rich's console and tables for foreign text (apart from `terminal`, for rich is slow to import).

A table that fits is printed as one. On a terminal too narrow for it without splitting words, each row becomes a block of
lines; without a terminal (a pipe, a file) nothing is cut or wrapped, so that each row stays one line to search for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import rich.console
import rich.text
from rich.cells import cell_len
from rich.segment import Segment
from rich.table import Table

from postern.cli.terminal import echo, one_line, visible

UNBOUNDED = 100_000
"""Columns of what is no terminal, unless $COLUMNS says otherwise."""
_SHORT = 20
"""A column whose cells are no longer than this is never wrapped: dates, sizes, states, addresses."""


class Console(rich.console.Console):
    """Rich's console, which sends nothing unsafe: strings are escaped before they are laid out, and what comes out once more.

    Strings are fields or single lines: a line feed in one is escaped. Several lines are made with `Text.under`.
    """

    def __init__(self, **options: Any) -> None:
        stream = options.get("file") or (sys.stderr if options.get("stderr") else sys.stdout)
        if "width" not in options and not stream.isatty() and not os.environ.get("COLUMNS", "").isdigit():
            options["width"] = UNBOUNDED
        super().__init__(**options)

    def render_str(self, text: str, **options: Any) -> rich.text.Text:
        return super().render_str(one_line(text), **options)

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


class Text(rich.text.Text):
    """Rich's text, made of fields: what is put in is escaped, and read as no markup."""

    def __init__(self, text: str = "", *arguments: Any, **options: Any) -> None:
        super().__init__(one_line(text), *arguments, **options)

    def append(self, text: Any, style: Any = None) -> Text:
        super().append(one_line(text) if isinstance(text, str) else text, style)
        return self

    def under(self, text: str, style: Any = None) -> Text:
        """Puts `text` on a line of its own below."""
        super().append("\n" + one_line(text), style)
        return self


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows of fields below their headings."""
    console = Console()
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [_narrowest([row[number] for row in cells], number) for number in range(len(columns))]
    if sum(max(width, _word(column)) for width, column in zip(widths, columns, strict=True)) + 3 * len(columns) + 1 > (
        console.width
    ):
        _print_blocks(columns, cells)
        return
    table = Table()
    for number, (column, width) in enumerate(zip(columns, widths, strict=True)):
        fixed = all(cell_len(row[number]) <= width for row in cells)
        table.add_column(column, no_wrap=fixed, min_width=width, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def _narrowest(cells: Sequence[str], number: int) -> int:
    """The columns that a column needs to split no word: the first one and short ones whole, others by word."""
    whole = max(map(cell_len, cells))
    return whole if number == 0 or whole <= _SHORT else max(map(_word, cells))


def _word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _print_blocks(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A block for each row: its first cell, then a line for each further one that says something."""
    margin = max(map(len, columns)) + 4
    for row in rows:
        echo(row[0], bold=True)
        for column, cell in zip(columns[1:], row[1:], strict=True):
            if cell:
                echo(f"  {column + ':':<{margin - 2}}{cell}")
