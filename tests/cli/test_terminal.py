"""What foreign text looks like when commands print it.

covers: console
"""

from __future__ import annotations

import json

import click
from click.testing import CliRunner

from postern.cli.console import Console
from postern.cli.terminal import echo_json, visible

HOSTILE = "\x1b[2J\x07\x7f\x85\x9b\r\u200e\u202e\u2066\ufeff\U000e0041\ud800"


def test_every_unsafe_character_becomes_an_escape() -> None:
    assert visible(HOSTILE) == r"\x1b[2J\x07\x7f\x85\x9b\x0d\u200e\u202e\u2066\ufeff\U000e0041\ud800"


def test_letters_of_any_language_stay() -> None:
    for text in ("회사", "Grüße", "שלום", "a\tb\nc", "🙂"):
        assert visible(text) == text


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
