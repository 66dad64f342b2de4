"""What a message shows and what is attached, from BODYSTRUCTURE and from the message.

covers: rendered_values
"""

from __future__ import annotations

import zlib

import pytest

from postern.protocols.mime import message, structure
from postern.protocols.mime.layout import every_attachment, has_attachments, layout, of_part, read_structure
from postern.protocols.mime.rendered_values import read_envelope, read_subject, read_values

TEXT = b"Content-Type: text/plain\r\n\r\ntext\r\n"
HTML = b"Content-Type: text/html\r\n\r\n<p>\r\n"
FILE = b'Content-Type: application/pdf; name="a.pdf"\r\n\r\nPDF\r\n'
PICTURE = b"Content-Type: image/png\r\nContent-ID: <c@x>\r\n\r\nPNG\r\n"
MEETING = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN\r\n"


def multipart(subtype: bytes, *parts: bytes) -> bytes:
    # The same in every process, for the names of the tests have it.
    boundary = b"b%d" % zlib.crc32(subtype + b"".join(parts))
    return (
        b"Content-Type: multipart/%b; boundary=%b\r\n\r\n" % (subtype, boundary)
        + b"".join([b"--%b\r\n%b" % (boundary, part) for part in parts])
        + b"--%b--\r\n" % boundary
    )


@pytest.mark.parametrize(
    ("content", "shown", "attached", "is_told"),
    [
        (TEXT, "P", "", False),
        (HTML, "H", "", False),
        (FILE, "", "pdf", True),
        (multipart(b"alternative", TEXT, HTML), "PH", "", False),
        (multipart(b"alternative", TEXT, HTML, MEETING), "PH", "", False),
        (multipart(b"mixed", TEXT, FILE), "P", "pdf", True),
        (multipart(b"mixed", TEXT, FILE, TEXT), "P P", "pdf", True),
        (multipart(b"mixed", multipart(b"alternative", TEXT, HTML), FILE), "PH", "pdf", True),
        (multipart(b"related", HTML, PICTURE), "H", "png!", False),
        (multipart(b"alternative", TEXT, multipart(b"related", HTML, PICTURE)), "PH", "png!", False),
        (multipart(b"mixed", TEXT, b"Content-Disposition: attachment\r\n\r\nx\r\n"), "P", "plain", True),
        (multipart(b"mixed", TEXT, b"Content-Type: message/rfc822\r\n\r\n" + multipart(b"mixed", TEXT, FILE)),
         "P", "rfc822", True),
        (multipart(b"mixed"), "", "", False),
        (multipart(b"related", HTML, multipart(b"mixed")), "H", "", False),
        (multipart(b"related", HTML, multipart(b"mixed", b"\r\n")), "H", "", False),
        (multipart(b"related", HTML, multipart(b"mixed", b"\r\nx\r\n"), PICTURE), "H", "plain png!", True),
        (multipart(b"digest", TEXT, b"\r\n" + TEXT), "P", "rfc822", True),
    ],
)  # fmt: skip
def test_both_ways_tell_the_same(content: bytes, shown: str, attached: str, is_told: bool) -> None:
    node = of_part(structure.scan(content))
    rendered = read_structure(message.render(content).structure)
    for each in (node, rendered):
        told = layout(each)
        pieces = ["P" * (piece.plain is not None) + "H" * (piece.html is not None) for piece in told.shown]
        names = [file.subtype.decode() + "!" * (file.number in told.inline) for file in told.attached]
        assert (" ".join(pieces), " ".join(names)) == (shown, attached)
        assert has_attachments(each) == is_told
    assert [each.number for each in every_attachment(node)] == [each.number for each in every_attachment(rendered)]


def test_names_have_no_path() -> None:
    for name, told in ((b"../../a\\b\\c.txt", "c.txt"), (b"=?utf-8?q?=C3=A9?=.txt", "é.txt")):
        node = of_part(structure.scan(b'Content-Type: a/b; name="' + name.replace(b"\\", b"\\\\") + b'"\r\n\r\n'))
        assert node.name == told


def test_values_are_read_as_they_were_rendered() -> None:
    assert read_values(b'("a\\"" NIL 12 {3}\r\n(b) ("c"))') == [b'a"', None, 12, b"(b)", [b"c"]]
    assert read_values(b"(" * 5_000 + b")" * 5_000) != []
    assert read_values(b"x") == []
    content = b'From: "A (b)" <a@b.test>\r\nTo: Group: c@d.test;\r\nSubject: \xff "x"\r\nMessage-ID: <i@j>\r\n\r\n'
    told = read_envelope(message.render(content).envelope)
    assert read_subject(message.render(content).envelope) == told.subject
    assert [(each.name, each.address) for each in told.from_] == [(b"A (b)", "a@b.test")]
    assert [each.address for each in told.to] == ["c@d.test"]
    assert (told.subject, told.message_id, told.cc) == (b'\xff "x"', b"<i@j>", ())
    assert read_envelope(b"()").subject == b""
    for rendered, subject in (
        (b"", b""),
        (b"NIL", b""),
        (b"(NIL", b""),
        (b'("date" (1)', b""),
        (b'("date" NIL ', b""),
        (b'("a\\"b" "say \\"x\\" \\\\" NIL', b'say "x" \\'),
        (b"({4}\r\ndate {3}\r\na(b NIL", b"a(b"),
    ):
        assert read_subject(rendered) == subject


def test_values_are_read_alike_with_and_without_literals() -> None:
    plain = b'("a b" NIL 12 (("x" "") 3) "NIL")'
    values = [b"a b", None, 12, [[b"x", b""], 3], b"NIL"]
    assert read_values(plain) == values
    assert read_values(plain.replace(b'"a b"', b"{3}\r\na b")) == values
    assert read_values(plain.replace(b'"a b"', b'"a\\ b"')) == values
    for broken in (b"", b"x", b'("a" x "b")', b'("a"', b'"a"', b"(1) (2)"):
        assert read_values(broken) == read_values(broken + b"{")
    deep = b"(" * 300 + b"1" + b")" * 300
    assert read_values(deep) == read_values(deep + b" {")
