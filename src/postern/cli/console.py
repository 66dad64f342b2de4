"""Lays out foreign text with rich's console and tables. `terminal` imports this when there is a table to print.

A table that fits is printed as one, without columns that are empty. On a terminal too narrow for it without splitting
words, each row becomes a block of lines. Long values are shortened there, to 200 columns in a table and to 2,000 where
one thing is shown by its fields; --json has them whole. Without a terminal (a pipe, a file) nothing is cut, wrapped or
left out, so that each row stays one line to search for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rich.console
import rich.text
from rich.cells import cell_len
from rich.segment import Segment
from rich.table import Table

from postern.cli.terminal import echo, one_line, visible

UNBOUNDED = 100_000
"""Columns of a pipe or file, unless $COLUMNS says otherwise."""
_SHORT = 20
"""A column whose cells are no longer than this is never wrapped: dates, sizes, states, addresses."""
_LONGEST = 200
"""Columns of the longest value that a terminal gets in a table."""
_LONGEST_FIELD = 2_000
"""The same where one thing is shown: the doors of a certificate and the members of a group are what was asked for."""


class Console(rich.console.Console):
    """Rich's console, made safe: strings are escaped before they are laid out, and the outcome once more.

    Strings are fields or single lines: a line feed in one is escaped. Several lines are made with `Text.under`.
    """

    def __init__(self, **options: Any) -> None:
        stream = options.get("file") or (sys.stderr if options.get("stderr") else sys.stdout)
        if "width" not in options and not (stream and stream.isatty()) and not os.environ.get("COLUMNS", "").isdigit():
            options["width"] = UNBOUNDED
        super().__init__(**options)

    def render_str(self, text: str, **options: Any) -> rich.text.Text:
        return super().render_str(one_line(text), **options)

    def on_broken_pipe(self) -> None:
        """Raises the BrokenPipeError, as click's own printing does, and `main` ends the command. Rich would exit with 1."""
        self.quiet = True
        raise  # noqa: PLE0704 (rich calls this while it handles the error)

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        """Renders as rich does. In a pipe or file, the blanks that fill up a line are left out."""
        text = super()._render_buffer(buffer)
        if self.is_terminal:
            return text
        *lines, last = text.split("\n")
        return "".join(line.rstrip(" ") + "\n" for line in lines) + last

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


class Text(rich.text.Text):
    """Rich's text, made of fields: each is escaped, and none is read as markup."""

    def __init__(self, text: str = "", *arguments: Any, **options: Any) -> None:
        super().__init__(one_line(text), *arguments, **options)

    def append(self, text: Any, style: Any = None) -> Text:
        super().append(one_line(text) if isinstance(text, str) else text, style)
        return self

    def under(self, text: str, style: Any = None) -> Text:
        """Puts `text` on a line of its own below."""
        super().append("\n" + one_line(text), style)
        return self


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """Prints rows of fields below their headings. Commands call it through `terminal.print_table`."""
    console = Console()
    cells = [[_cell(field, console) for field in row] for row in rows]
    if console.width < UNBOUNDED:
        used = [number for number in range(len(columns)) if number == 0 or any(row[number] for row in cells)]
        columns, cells = [columns[number] for number in used], [[row[number] for number in used] for row in cells]
    across = [[row[number] for row in cells] for number in range(len(columns))]
    narrow = [max(_narrowest(each, not number), _word(columns[number])) for number, each in enumerate(across)]
    room = console.width - 3 * len(columns) - 1
    if sum(narrow) > room:
        for row in cells:
            row[0].stylize("bold")
            console.print(row[0], overflow="fold")
            console.print(_fields([(f"  {column}", cell) for column, cell in zip(columns[1:], row[1:], strict=True)]))
        return
    whole = [max(_whole(each), cell_len(columns[number])) for number, each in enumerate(across)]
    table = Table()
    for column, width in zip(columns, _shared(narrow, whole, room), strict=True):
        table.add_column(column, width=width, overflow="fold")
    for row in cells:
        table.add_row(*row)
    console.print(table)


def _shared(narrow: Sequence[int], whole: Sequence[int], room: int) -> list[int]:
    """Returns the widths of the columns. Each has what it needs at least; the rest of `room` goes to those that want more."""
    widths = list(narrow)
    left = room - sum(widths)
    while left > 0 and (short := [number for number, width in enumerate(widths) if width < whole[number]]):
        for number in short:
            more = min(max(1, left // len(short)), whole[number] - widths[number], left)
            widths[number] += more
            left -= more
    return widths


def print_fields(fields: Mapping[str, str]) -> None:
    """Prints the fields of one thing, a line each. Commands call it through `terminal.print_fields`."""
    console = Console()
    if console.width < UNBOUNDED:
        console.print(_fields([(label, _cell(value, console, _LONGEST_FIELD)) for label, value in fields.items()]))
        return
    margin = max(map(len, fields)) + 2
    for label, value in fields.items():
        if value:
            echo(f"{label + ':':<{margin}}{value}")


def _fields(fields: Sequence[tuple[str, rich.text.Text]]) -> Table:
    """Returns a grid with the labels on the left; a value that is too long for a line goes on below itself."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True, min_width=max((cell_len(label) for label, _ in fields), default=0) + 1)
    grid.add_column(overflow="fold")
    for label, value in fields:
        if value:
            grid.add_row(f"{label}:", value)
    return grid


def _cell(value: str | Text, console: Console, longest: int = _LONGEST) -> rich.text.Text:
    text = Text(value) if isinstance(value, str) else value
    if isinstance(value, str) and console.width < UNBOUNDED:
        text.truncate(longest, overflow="ellipsis")
    return text


def _narrowest(cells: Sequence[rich.text.Text], first: bool) -> int:
    """Returns how many columns a column needs so that no word is split: the first one and short ones whole, others by word."""
    whole = _whole(cells)
    return whole if first or whole <= _SHORT else max(_word(cell.plain) for cell in cells)


def _whole(cells: Sequence[rich.text.Text]) -> int:
    return max(cell_len(line) for cell in cells for line in cell.plain.split("\n"))


def _word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)
