"""FETCH's answers from columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pytest

from postern.model.items import Column, FetchedItems
from postern.protocols.imap.commands import Fetch
from postern.protocols.imap.fetch_plan import FetchPlan, UnknownEncoding
from postern.protocols.imap.parse import parse
from postern.protocols.mime.message import render

MESSAGE = (
    b"From: a@b\r\nX-Percent%s: 100%\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nplain\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nAGJpbg==\r\n"
    b"--b\r\nContent-Transfer-Encoding: x-none\r\n\r\n?\r\n--b--\r\n"
)
HEADER = MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
ITEMS = FetchedItems(
    uids=[7],
    flags=[1],
    modseqs=[12],
    sizes=[len(MESSAGE)],
    dates=[0],
    envelopes=[b"(ENV)"],
    structures=[b"(STRUCTURE)"],
    bodies=[b"(BODY)"],
    headers=[HEADER],
    contents=[MESSAGE],
)


def texts(uids: Sequence[int], words: Sequence[int]) -> Iterable[bytes]:
    return [b"(\\Seen)" for _ in words]


def plan(items: str, uid: bool = False, modseq: bool = False, utf8: bool = False) -> FetchPlan:
    command = parse(b"a FETCH 1 " + items.encode(), [])
    assert isinstance(command, Fetch), command
    return FetchPlan(command.items, uid, modseq, utf8)


def answer(items: str, uid: bool = False, modseq: bool = False) -> bytes:
    (row,) = plan(items, uid, modseq).rows([3], ITEMS, texts)
    return re.sub(rb"^\* 3 FETCH \((.*)\)\r\n$", rb"\1", row, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("(UID FLAGS)", b"UID 7 FLAGS (\\Seen)"),
        ("FAST", b'FLAGS (\\Seen) INTERNALDATE " 1-Jan-1970 00:00:00 +0000" RFC822.SIZE %d' % len(MESSAGE)),
        ("(ENVELOPE BODYSTRUCTURE BODY)", b"ENVELOPE (ENV) BODYSTRUCTURE (STRUCTURE) BODY (BODY)"),
        ("MODSEQ", b"MODSEQ (12)"),
        ("BODY[]", b"BODY[] {%d}\r\n%b" % (len(MESSAGE), MESSAGE)),
        ("RFC822.HEADER", b"RFC822.HEADER {%d}\r\n%b" % (len(HEADER), HEADER)),
        ("BODY[1]", b"BODY[1] {5}\r\nplain"),
        ("BODY[1]<1.3>", b"BODY[1]<1> {3}\r\nlai"),
        ("BODY[1]<9.3>", b"BODY[1]<9> {0}\r\n"),
        ("BODY[9]", b"BODY[9] NIL"),
        ("BODY[HEADER]<0.4>", b"BODY[HEADER]<0> {4}\r\nFrom"),
        (
            "BODY[HEADER.FIELDS (x-percent%s from)]",
            b"BODY[HEADER.FIELDS ({11}\r\nx-percent%s FROM)] {32}\r\nFrom: a@b\r\nX-Percent%s: 100%\r\n\r\n",
        ),
        ("BINARY[2]", b"BINARY[2] ~{4}\r\n\x00bin"),
        ("BINARY.SIZE[2]", b"BINARY.SIZE[2] 4"),
        ("BINARY[1]", b"BINARY[1] {5}\r\nplain"),
    ],
)
def test_answers(items: str, expected: bytes) -> None:
    if "percent" in items:  # an atom may not hold "%": the name comes quoted
        items = items.replace("x-percent%s", '"x-percent%s"')
    assert answer(items) == expected


def test_uid_and_modseq_are_added() -> None:
    assert answer("FLAGS", uid=True, modseq=True) == b"UID 7 FLAGS (\\Seen) MODSEQ (12)"
    assert answer("(FLAGS UID MODSEQ)", uid=True, modseq=True) == b"FLAGS (\\Seen) UID 7 MODSEQ (12)"


def test_a_message_global_is_a_message_only_to_who_knows_it() -> None:
    content = b"Content-Type: message/global\r\n\r\nSubject: inner\r\n\r\nx"
    made = render(content)
    items = FetchedItems(uids=[7], structures=[made.structure], bodies=[made.body_structure])
    (older,) = plan("(BODY BODYSTRUCTURE)").rows([1], items, texts)
    basic = b'("message" "global" NIL NIL NIL "7bit" 19'
    assert older == b"* 1 FETCH (BODY %b) BODYSTRUCTURE %b NIL NIL NIL NIL))\r\n" % (basic, basic)
    (newer,) = plan("(BODY BODYSTRUCTURE)", utf8=True).rows([1], items, texts)
    assert (
        newer == b"* 1 FETCH (BODY %b BODYSTRUCTURE %b)\r\n" % (made.body_structure, made.structure) and newer != older
    )


def test_an_unknown_encoding_is_said() -> None:
    with pytest.raises(UnknownEncoding):
        answer("BINARY[3]")


@pytest.mark.parametrize(
    ("items", "columns"),
    [
        ("(UID)", Column(0)),
        ("BODY.PEEK[HEADER.FIELDS (FROM)]", Column.HEADER),
        ("BODY[HEADER]", Column.HEADER),
        ("BODY[1]", Column.CONTENT),
        ("(FLAGS ENVELOPE)", Column.FLAGS | Column.ENVELOPE),
    ],
)
def test_only_what_is_needed_is_asked_for(items: str, columns: Column) -> None:
    assert plan(items).columns == columns


def test_what_sets_seen_and_what_the_view_knows() -> None:
    assert plan("BODY[]").sets_seen and plan("RFC822.TEXT").sets_seen
    assert not plan("BODY.PEEK[]").sets_seen and not plan("RFC822.HEADER").sets_seen
    assert plan("(UID FLAGS)").from_view and not plan("(UID MODSEQ)").from_view
    assert plan("BODY[1]").whole and not plan("BODY[HEADER]").whole


@pytest.mark.parametrize(
    "items",
    [
        "(UID FLAGS MODSEQ RFC822.SIZE INTERNALDATE)",
        "(ENVELOPE BODYSTRUCTURE BODY)",
        "(BODY[] RFC822.HEADER BODY[1] BODY[9])",
        "(BODY[]<0.5> BODY[]<3.70000> BODY[]<70000.5> BODY[HEADER]<2.9> BODY[HEADER.FIELDS (From)])",
        "(BINARY[2] BINARY[2]<1.2> BINARY.SIZE[2] BINARY[1])",
    ],
)
def test_a_line_in_pieces_is_the_same_line(items: str) -> None:
    (row,) = plan(items, uid=True).rows([3], ITEMS, texts)
    assert b"".join(plan(items, uid=True).pieces(3, ITEMS, texts)) == row


def test_a_section_that_is_asked_for_in_parts_is_not_copied() -> None:
    parts = [
        piece for piece in plan("(BODY[]<0.9> BODY[]<1.9>)").pieces(3, ITEMS, texts) if isinstance(piece, memoryview)
    ]
    assert [part.obj is MESSAGE for part in parts] == [True, True]


def test_an_unknown_encoding_is_found_before_anything_is_said() -> None:
    with pytest.raises(UnknownEncoding):
        next(iter(plan("(BODY[1] BINARY[3])").pieces(3, ITEMS, texts)))


def test_a_long_answer_is_known_by_how_often_the_content_is_asked_for() -> None:
    items = FetchedItems([1], contents=[b"x" * 300_000])
    assert not plan("(BODY[] BODY[]<0.1> BODY[]<1.1>)").is_long(items)
    assert plan("(BODY[] BODY[]<0.1> BODY[]<1.1> BODY[]<2.1>)").is_long(items)
    assert plan("ENVELOPE").is_long(FetchedItems([1, 2], envelopes=[b"x" * 600_000] * 2))
