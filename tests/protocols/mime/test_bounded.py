"""What a stranger's mail may make of a reader: as much work and output as its octets are worth, and no more."""

from __future__ import annotations

import time
import unicodedata

import pytest

from postern.protocols.authentication.tags import parse_tags
from postern.protocols.mime.message import render
from postern.protocols.mime.parameters import parse_value
from postern.protocols.mime.text import MAX_TEXT
from postern.protocols.mime.transfer import from_transfer
from postern.protocols.mime.words import fold, fold_within
from postern.transport.submission import Submitter, fix_header

ANNA = Submitter("anna@good.test", frozenset({"anna@good.test"}))

WORST = {
    "fold: combining marks in the wrong order": lambda size: fold("\u0300\u0316" * (size // 4)),
    "tags: blanks": lambda size: parse_tags("a=b" + " " * (size // 8) + "c d;" + " " * (size // 8)),
    "parameters: empty ones": lambda size: parse_value(b"text/plain" + b"; " * (size // 2)),
    "parameters: a name without an end": lambda size: parse_value(b"text/plain; " + b"a" * size + b" " * size),
    "uuencode: claims": lambda size: from_transfer(b"begin 644 x\n" + b"M\n" * (size // 2), "x-uuencode"),
    "author: blanks after <": lambda size: fix_header(
        b"From: <" + b" " * (size // 8) + b"\r\n", ANNA, 0.0, "unique", "good.test"
    ),
    "author: blanks": lambda size: fix_header(b"From: " + b" " * (size // 8) + b"x\r\n", ANNA, 0.0, "u", "good.test"),
}


@pytest.mark.parametrize("name", WORST)
def test_work_grows_with_the_input_and_no_faster(name: str) -> None:
    """Four times the octets cost at most six times the processor's time, best of three."""
    work = WORST[name]

    def cost(size: int) -> float:
        best = float("inf")
        for _ in range(3):
            before = time.process_time()
            work(size)
            best = min(best, time.process_time() - before)
        return best

    assert cost(1 << 18) <= 6 * max(cost(1 << 16), 0.002)


def test_a_run_of_combining_marks_is_cut_before_it_is_sorted() -> None:
    marks = "\u0300\u0316" * 500
    assert fold("e" + marks) == unicodedata.normalize("NFKC", "e" + marks[:30])


def test_marks_that_a_language_uses_stay() -> None:
    assert fold("Ṩ̣ ệ 각") == unicodedata.normalize("NFKC", "Ṩ̣ ệ 각").casefold()


def test_lines_of_uuencode_are_no_longer_than_their_characters() -> None:
    text = from_transfer(b"begin 644 x\n" + b"M!\n" * 1000 + b"end\n", "x-uuencode")
    assert len(text) <= 1000


def test_the_bound_of_text_holds_for_what_comes_out() -> None:
    content = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "\ufdfa".encode() * (1 << 20)
    assert 0.9 * MAX_TEXT < len(render(content).body.encode()) <= 1.1 * MAX_TEXT


def test_folding_in_pieces_gives_what_folding_at_once_does() -> None:
    text = "Ｆｕｌｌ ㅎㅏㄴ 한글 ﬁ\n" * 20_000
    assert fold_within(text, 1 << 30) == fold(text)
    assert fold(text).startswith(fold_within(text, 1001))
    assert len(fold_within(text, 1001).encode()) <= 1001
