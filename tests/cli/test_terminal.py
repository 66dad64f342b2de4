"""What foreign text looks like when commands print it, and moments.

covers: console
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
import rich.text
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich import box
from rich.cells import cell_len
from rich.table import Table

import postern.cli
from postern.cli.console import Console, Text, print_fields, print_rows
from postern.cli.terminal import ask, day, echo, echo_json, json_moment, moment, visible

HOSTILE = "\x1b[2J\x07\x7f\x85\x9b\r\u200e\u202e\u2066\ufeff\U000e0041\ud800"


def test_every_unsafe_character_becomes_an_escape() -> None:
    assert visible(HOSTILE) == r"\x1b[2J\x07\x7f\x85\x9b\x0d\u200e\u202e\u2066\ufeff\U000e0041\ud800"


def test_letters_of_any_language_stay() -> None:
    for text in ("회사", "Grüße", "שלום", "a\tb\nc", "🙂"):
        assert visible(text) == text


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A host nine hours before UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "KST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_moments_are_said_in_utc_wherever_the_host_stands() -> None:
    seen = 1_795_484_603.9375
    assert seen == datetime(2026, 11, 24, 1, 43, 23, 937_500, tzinfo=UTC).timestamp()
    assert (moment(seen), moment(seen, 3)) == ("2026-11-24T01:43:23Z", "2026-11-24T01:43:23.937Z")
    assert (json_moment(seen), day(seen)) == ("2026-11-24T01:43:23.937Z", "2026-11-24")
    assert (day(seen - 2 * 3600), json_moment(0.0), day(0.0)) == ("2026-11-23", None, "-")


def test_json_stays_valid_and_means_the_same() -> None:
    printed = CliRunner().invoke(click.command()(lambda: echo_json({HOSTILE: [HOSTILE, "회사"]}))).output
    assert json.loads(printed) == {HOSTILE: [HOSTILE, "회사"]}
    assert "회사" in printed
    assert not set(HOSTILE) - set("[2J") & set(printed)


def test_a_console_escapes_strings_before_it_lays_them_out() -> None:
    console = Console(width=40)
    with console.capture() as captured:
        console.print("\u202ex")
    assert captured.get() == "\\u202ex\n"


FORGED = "alice\npostern: \x1b[2J\u202eevil [red]x[/red]"
SHOWN = r"alice\x0apostern: \x1b[2J\u202eevil [red]x[/red]"


def test_a_line_feed_in_a_field_makes_no_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    echo(f"{FORGED} reaches all")
    assert capsys.readouterr().out == f"{SHOWN} reaches all\n"
    print_rows(("name", "what"), [(FORGED, FORGED)])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if SHOWN in line and line.count("alice") == 2]
    assert not [line for line in lines if line.lstrip("│ ").startswith("postern:")]
    with pytest.raises(click.UsageError):
        ask(FORGED, "--yes")
    assert SHOWN in capsys.readouterr().err


def test_text_of_rich_is_escaped_too() -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(Text(FORGED).append("\x9b\n").under("\u2066"))
        console.print(rich.text.Text("\x9b"))
    assert captured.get() == SHOWN + "\\x9b\\x0a\n\\u2066\n\\x9b\n"


def test_a_narrow_terminal_splits_no_word_and_a_pipe_cuts_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = ("edge", "name", "site", "hubs", "certificate until")
    row = (
        "edge1",
        "edge1.a-rather-long-name.example.test",
        "Default-First-Site-Name",
        "hub1, hub2",
        "2027-11-29 06:20:35",
    )
    monkeypatch.setenv("COLUMNS", "80")
    print_rows(columns, [row, row])
    narrow = capsys.readouterr().out
    assert all(narrow.count(cell) >= 2 for cell in row) and "certificate until:" in narrow
    assert max(map(len, narrow.splitlines())) <= 80
    monkeypatch.delenv("COLUMNS")
    print_rows(columns, [row])
    assert [line for line in capsys.readouterr().out.splitlines() if all(cell in line for cell in row)]


def test_the_fields_of_one_thing_are_shown_in_full_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [f"member{number}@example.test" for number in range(40)]
    monkeypatch.setenv("COLUMNS", "80")
    print_fields({"members": ", ".join(members), "subject": "x" * 10_000})
    lines = capsys.readouterr().out.splitlines()
    assert all(any(member in line for line in lines) for member in members)
    assert max(map(len, lines)) <= 80 and len(lines) < 60, "a stranger's text floods no terminal"


@pytest.mark.parametrize("style", [box.SIMPLE_HEAD, box.HEAVY_HEAD, None])
def test_no_line_in_a_pipe_ends_in_blanks(
    style: box.Box | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    table = Table("name", "what", box=style)
    table.add_row("x", "a long sentence")
    table.add_row("y", "short")
    console = Console()
    console.print(table)
    console.print("and ", end="")
    console.print("more  ")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "and more" and len(lines) >= 4
    assert [line for line in lines if line.endswith(" ")] == []


WORD = st.text("abcdefghij회:.", min_size=1, max_size=20)
CELL = st.lists(WORD, max_size=4).map(" ".join)


def row_of(columns: int) -> st.SearchStrategy[list[str]]:
    return st.lists(CELL, min_size=columns, max_size=columns)


TABLE = st.integers(1, 8).flatmap(
    lambda columns: st.tuples(
        st.lists(WORD, min_size=columns, max_size=columns), st.lists(row_of(columns), min_size=1, max_size=3)
    )
)
CONTROLLERS = (
    ["controller", "address", "site", "global catalogue", "answers in"],
    [["dc1.corp.test", "10.77.1.10", "Branch (other site)", "yes", "11.7 ms"]],
)


@given(TABLE)
@example(CONTROLLERS)
@settings(max_examples=150)
def test_whatever_the_table_no_word_is_split_or_lost_at_eighty_columns(
    table: tuple[list[str], list[list[str]]],
) -> None:
    columns, rows = table
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.setenv("COLUMNS", "80")
        print_rows(columns, rows)
    lines = out.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= 80
    printed = set(out.getvalue().replace("│", " ").split())
    assert {word for row in rows for cell in row for word in cell.split()} <= printed


COMMANDS = sorted(Path(postern.cli.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", COMMANDS, ids=lambda path: path.name)
def test_commands_print_through_the_terminal_alone(module: Path) -> None:
    """Neither click's own printing, nor rich's console and text, nor print, in any module but the two that escape."""
    if module.name in ("terminal.py", "console.py"):
        return
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in ("rich.console", "rich.text", "rich.prompt"):
            assert not {"Console", "Text", "Prompt", "Confirm"} & {one.name for one in node.names}, node.lineno
        if isinstance(node, ast.Name):
            assert node.id != "print", node.lineno
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in FORBIDDEN, node.lineno


FORBIDDEN = {
    *(f"click.{name}" for name in ("echo", "secho", "style", "prompt", "confirm", "echo_via_pager")),
    *("rich.print", "sys.stdout.write", "sys.stderr.write"),
}
