"""What a stranger's mail may make of a reader: as much output as its octets are worth, and no more. How long that takes is for
tests/bounds to measure."""

from __future__ import annotations

import unicodedata

from postern.protocols.mime.charsets import decode
from postern.protocols.mime.message import render
from postern.protocols.mime.parameters import parse_value
from postern.protocols.mime.text import MAX_TEXT
from postern.protocols.mime.transfer import from_transfer
from postern.protocols.mime.words import decode_words, fold, fold_within


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


def test_the_bound_of_a_subject_holds_for_what_comes_out() -> None:
    rendered = render(b"Subject: " + "\ufdfa".encode() * (1 << 16) + b"\r\n\r\n")
    assert len(rendered.subject.encode()) <= 65_536


def test_words_of_one_charset_are_put_together_however_many_they_are() -> None:
    halves = b" ".join([b"=?utf-8?q?=ED=95?=", b"=?utf-8?q?=9C?="] * 1000)
    assert decode_words(halves) == "한" * 1000


def test_parameters_behind_runs_of_semicolons_are_found() -> None:
    assert parse_value(b'text/plain;;; ; a=1 ;; junk ; "b ; c = 2') == (b"text/plain", ((b"a", b"1"), (b"c", b"2")))


def test_a_charset_without_an_end_is_no_charset() -> None:
    assert decode(b"\xe9", "utf-8" + " " * 10_000) == "\ufffd"
    assert decode(b"\xe9", "x" * 1_000_000) == "é"
