"""message/global for clients of IMAP4rev1."""

from __future__ import annotations

from postern.protocols.imap.older_structure import without_global
from postern.protocols.mime.message import render

INNER = (
    b'Subject: (in "quotes" {3}\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n'
    b"--i\r\n\r\na\r\n--i\r\n\r\nb\r\n--i--\r\n"
)


def structure(subtype: bytes, description: bytes = b"x") -> bytes:
    outer = b"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
    described = b"Content-Description: %b\r\nContent-Disposition: inline\r\n\r\n" % description
    part = b"Content-Type: message/%b\r\n" % subtype + described
    return render(outer + part + INNER + b"--o\r\n" + part + part + INNER + b"--o\r\n\r\nlast\r\n--o--\r\n").structure


def test_a_message_global_is_a_basic_part() -> None:
    lines = without_global(structure(b"global"))
    size = len(INNER)
    basic = b'("message" "global" NIL NIL "x" "7bit" %d NIL ("inline" NIL) NIL NIL)'
    assert lines.startswith(b"(" + basic % size + b'("message" "global" NIL NIL "x" "7bit" ')
    last = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0 NIL NIL NIL NIL)'
    assert lines.endswith(b'NIL ("inline" NIL) NIL NIL)' + last + b' "mixed" ("boundary" "o") NIL NIL NIL)')
    assert b"quotes" not in lines


def test_what_only_looks_like_one_stays() -> None:
    for found in (structure(b"rfc822"), structure(b"rfc822", '("message" "global" é'.encode())):
        assert without_global(found) == found
