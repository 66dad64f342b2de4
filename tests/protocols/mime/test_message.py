"""A rendered message: what IMAP clients and search get to see, from well-formed, strange and hostile bytes.

covers: address, dates, envelope, grammar, header, parameters, structure, subject, text, transfer
"""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postern.protocols.mime.message import NO_DATE, render
from postern.protocols.mime.structure import MAX_DEPTH, MAX_PARTS, scan
from tests.protocols.mime.imap_grammar import check_envelope, check_structure, parse

PLAIN = (
    b"Date: Mon, 23 Nov 2026 10:00:00 +0900\r\n"
    b'From: "Kim, Bob" <bob@example.org>\r\n'
    b"To: alice@example.test,\r\n\tCarol <carol@example.test>\r\n"
    b'Subject: a "quoted" back\\slash\r\n'
    b"Message-ID: <1@example.org>\r\n"
    b"\r\n"
    b"one\r\ntwo\r\n"
)


def test_envelope_of_a_plain_message() -> None:
    bob = [[b"Kim, Bob", None, b"bob", b"example.org"]]
    assert parse(render(PLAIN).envelope) == [
        b"Mon, 23 Nov 2026 10:00:00 +0900",
        b'a "quoted" back\\slash',
        bob,
        bob,
        bob,
        [[None, None, b"alice", b"example.test"], [b"Carol", None, b"carol", b"example.test"]],
        None,
        None,
        None,
        b"<1@example.org>",
    ]


def test_structure_and_sizes_of_a_plain_message() -> None:
    rendered = render(PLAIN)
    assert rendered.body_structure == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2)'
    assert rendered.structure == rendered.body_structure[:-1] + b" NIL NIL NIL NIL)"
    assert rendered.size == len(PLAIN)
    assert PLAIN[rendered.header_size :] == b"one\r\ntwo\r\n"


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"a@b.c", [[None, None, b"a", b"b.c"]]),
        (b"A (comment) B <a@b.c> (x)", [[b"A B", None, b"a", b"b.c"]]),
        (b'"A \\"q\\"" <a@b.c>', [[b'A "q"', None, b"a", b"b.c"]]),
        (b'"a b"@c.d', [[None, None, b"a b", b"c.d"]]),
        (b"<@r1,@r2:a@b.c>", [[None, b"@r1,@r2", b"a", b"b.c"]]),
        (
            b"friends: a@b.c, D <d@e.f>;, g@h.i",
            [
                [None, None, b"friends", None],
                [None, None, b"a", b"b.c"],
                [b"D", None, b"d", b"e.f"],
                [None, None, None, None],
                [None, None, b"g", b"h.i"],
            ],
        ),
        (b"undisclosed-recipients:;", [[None, None, b"undisclosed-recipients", None], [None, None, None, None]]),
        (b"someone", [[None, None, b"someone", b"MISSING_DOMAIN"]]),
        (b"a@[192.0.2.1]", [[None, None, b"a", b"[192.0.2.1]"]]),
        (b"<a@b.c>", [[None, None, b"a", b"b.c"]]),
        (b"a . b @ c . d", [[None, None, b"a.b", b"c.d"]]),
        (b"a@b.c (Alice (A.) B)", [[b"Alice (A.) B", None, b"a", b"b.c"]]),
        (b"Big Bug bug@b.c", [[b"Big Bug", None, b"bug", b"b.c"]]),
        (b"one@b.c two@b.c", [[None, None, b"one", b"b.c"], [None, None, b"two", b"b.c"]]),
        (b"one@b.c (One) two @ b.c (Two)", [[b"One", None, b"one", b"b.c"], [b"Two", None, b"two", b"b.c"]]),
        (b'<""@b.c>, <@b.c>', [[None, None, b"", b"b.c"], [None, None, b"MISSING_MAILBOX", b"b.c"]]),
        (b"<Big bug@b.c>", [[None, None, b"Big bug", b"b.c"]]),
        (b"<Big(x)bug@b.c>, <bug@b. c>", [[None, None, b"Big bug", b"b.c"], [None, None, b"bug", b"b.c"]]),
        (b"<bug@b.c d.e>", [[None, None, b"bug", b"b.c d.e"]]),
        (b'"q" . w@b.c junk', [[None, None, b"q.w", b"b.c"]]),
        (rb"foo@b.c (Foo \) Bar), d@e.f", [[b"Foo ) Bar", None, b"foo", b"b.c"], [None, None, b"d", b"e.f"]]),
        (b'tall@b.c (6" tall), d@e.f', [[b'6" tall', None, b"tall", b"b.c"], [None, None, b"d", b"e.f"]]),
        (b"(first) a@b.c", [[b"first", None, b"a", b"b.c"]]),
        (b", ,a@b.c,,", [[None, None, b"a", b"b.c"]]),
        (b"=?utf-8?B?7ZqM?= <a@b.c>", [[b"=?utf-8?B?7ZqM?=", None, b"a", b"b.c"]]),
    ],
)
def test_addresses(value: bytes, addresses: list[Any]) -> None:
    envelope = parse(render(b"To: %b\r\n\r\n" % value).envelope)
    assert isinstance(envelope, list)
    assert envelope[5] == addresses


def test_what_is_not_seven_bit_becomes_a_literal() -> None:
    rendered = render("Subject: 회의\r\n\r\n".encode())
    assert b"{6}\r\n" + "회의".encode() in rendered.envelope
    check_envelope(parse(rendered.envelope))


def _multipart() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "회의록"
    message["From"] = "Bob <bob@example.org>"
    message.set_content("본문 텍스트\n", charset="euc-kr", cte="base64")
    message.add_alternative("<p>본문 <b>굵</b>게 &amp; 더</p><script>hidden</script>", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="보고서.pdf")
    inner = EmailMessage()
    inner["Subject"] = "inner 안쪽"
    inner.set_content("nested text\n")
    message.add_attachment(inner)
    return message


def test_structure_is_what_pythons_email_package_made() -> None:
    message = _multipart()
    raw = message.as_bytes(policy=email.policy.SMTP)
    structure = parse(render(raw).structure)
    check_structure(structure, extended=True)

    def compare(ours: Any, theirs: EmailMessage) -> None:
        if theirs.get_content_type() == "message/rfc822":
            assert ours[:2] == [b"message", b"rfc822"]
            compare(ours[8], theirs.get_payload(0))
        elif theirs.is_multipart():
            parts = theirs.get_payload()
            for mine, part in zip(ours, parts, strict=False):
                compare(mine, part)
            assert ours[len(parts)] == theirs.get_content_subtype().encode()
        else:
            assert ours[0] + b"/" + ours[1] == theirs.get_content_type().encode()
            payload = theirs.get_payload()
            assert isinstance(payload, str)
            assert ours[6] == len(payload.replace("\r\n", "\n").replace("\n", "\r\n").encode())

    compare(structure, email.message_from_bytes(raw, policy=email.policy.SMTP))


def test_text_is_what_a_reader_sees() -> None:
    rendered = render(_multipart().as_bytes(policy=email.policy.SMTP))
    assert rendered.subject == "회의록"
    for seen in ("본문 텍스트", "본문 굵게 & 더", "보고서.pdf", "inner 안쪽", "nested text"):
        assert seen in rendered.body
    assert "hidden" not in rendered.body
    assert "\nsubject:회의록" in rendered.fields


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        (b"--b\r\nX: 1\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n", 2),
        (b"preamble\r\n--b\r\n\r\none\r\n--b--\r\nepilogue\r\n--b\r\n\r\nno part\r\n", 1),
        # RFC 2046 section 5.1.2: "it is sufficient that the boundary appear in its entirety following the CRLF"
        (b"--b  \r\n\r\none\r\n--bc\r\ntwo\r\n--b junk\r\n\r\nthree\r\n--b-- junk\r\n--b\r\n\r\nno part", 3),
        (b"--b\n\none\n--b\n\ntwo\n--b--\n", 2),
        (b"no boundary at all\r\n", 0),
        (b"--b\r\n--b\r\n--b--", 2),
        (b"--b", 1),
    ],
)
def test_boundaries(raw: bytes, parts: int) -> None:
    content = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + raw
    root = scan(content)
    assert len(root.children) == parts
    check_structure(parse(render(content).structure), extended=True)
    if parts == 2 and b"one" in raw:
        bodies = [content[part.body : part.end] for part in root.children]
        assert bodies[0].startswith(b"one") and not bodies[0].endswith(b"\n")


def test_an_inner_boundary_that_begins_like_the_outer() -> None:
    content = (
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=ab\r\n\r\n"
        b"--ab\r\n\r\none\r\n--ab\r\n\r\ntwo\r\n--ab--\r\n--a--\r\n"
    )
    root = scan(content)
    assert len(root.children) == 1
    assert [content[p.body : p.end] for p in root.children[0].children] == [b"one", b"two"]


def test_an_inner_part_that_uses_its_parents_boundary() -> None:
    inner = (
        b"--b\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
    )
    content = (
        b"Content-Type: multipart/mixed; boundary=b (the boundary)\r\n\r\n"
        + inner
        + b"--b\r\nContent-Type: application/zip\r\n\r\nPK\r\n--b--\r\n"
    )
    alternative, attachment = scan(content).children
    assert [content[p.body : p.end] for p in alternative.children] == [b"one", b"two"]
    assert attachment.subtype == b"zip" and content[attachment.body : attachment.end] == b"PK"


def test_digest_parts_are_messages() -> None:
    content = b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\nbody\r\n--b--\r\n"
    part = scan(content).children[0]
    assert (part.type, part.subtype) == (b"message", b"rfc822")
    assert part.children[0].fields.named[b"subject"] == b"x"


def test_parameters_of_rfc_2231() -> None:
    content = (
        b"Content-Type: text/plain; name*0*=utf-8''%ED%9A%8C; name*1=100%; name*2*=%EC%9D%98\r\n"
        b'Content-Disposition: attachment; filename="a;b\\"c.txt"; size=5\r\n\r\n'
    )
    structure = parse(render(content).structure)
    assert isinstance(structure, list)
    assert structure[2] == [b"name*", b"utf-8''%ED%9A%8C100%25%EC%9D%98", b"charset", b"us-ascii"]
    assert structure[9] == [b"attachment", [b"filename", b'a;b"c.txt', b"size", b"5"]]


def test_depth_and_number_of_parts_are_bounded() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(500))
    depth, part = 0, scan(deep)
    while part.children:
        part, depth = part.children[0], depth + 1
    assert depth == MAX_DEPTH
    wide = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * (MAX_PARTS * 2)
    assert len(scan(wide).children) < MAX_PARTS
    nested = b"Content-Type: message/rfc822\r\n\r\n" * 5000
    check_structure(parse(render(nested).structure), extended=True)


_N = 300_000


@pytest.mark.parametrize(
    "content",
    [
        b"To: a" + b" " * _N + b"\r\n\r\n",
        b"To: " + b'"' * _N + b"\r\n\r\n",
        b"To: " + b"(" * _N + b"\r\n\r\n",
        b"To: " + b"a" * _N + b"\r\n\r\n",
        b"To: " + b"g:" * (_N // 2) + b"\r\n\r\n",
        b"Subject: " + b"[]" * (_N // 2) + b"\r\n\r\n",
        b"Subject: " + b"=?a?b?" * (_N // 6) + b"\r\n\r\n",
        b"Content-Type: text/plain" + b";" * _N + b"\r\n\r\n",
        b"Content-Type: text/plain; a=" + b"\\" * _N + b"\r\n\r\n",
        b"References: " + b"<" * _N + b"\r\n\r\n",
        b"Content-Type: text/html\r\n\r\n<" + b"a" * _N,
        b"Content-Type: text/html\r\n\r\n" + b"<a " * (_N // 3),
        b"Content-Type: text/html\r\n\r\n" + b"<!--" * (_N // 4),
        b"Content-Type: text/html\r\n\r\n" + b"<script" * (_N // 7),
        b"Content-Type: text/html\r\n\r\n&#" + b"9" * _N + b";&#x" + b"f" * _N,
        b"Content-Type: text/html\r\n\r\n" + b" " * _N + b"x",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"\r\n--bX" * (_N // 6),
    ],
    ids=range(17),
)
def test_hostile_repetition_costs_no_more_than_its_length(content: bytes) -> None:
    """Anything quadratic would take minutes here."""
    check_envelope(parse(render(content).envelope))


@pytest.mark.parametrize(
    ("date", "sent"),
    [
        (b"Mon, 23 Nov 2026 10:00:00 +0900", (1795395600, 20780)),
        (b"23 Nov 2026 01:00 GMT", (1795395600, 20780)),
        (b"Sun, 22 Nov 26 20:00:00 EST (comment)", (1795395600, 20779)),
        (b"31 Feb 2026 10:00:00 +0000", (NO_DATE, NO_DATE)),
        (b"yesterday", (NO_DATE, NO_DATE)),
        (b"Thu, 01 Jan 1970 00:00:00 +0000", (0, 0)),
        (b"1 Jan (a (nested) one) 1970 01:00:00 +0100", (0, 0)),
        (b"1 Jan 99 00:00:00 +0000", (915148800, 10592)),
    ],
)
def test_dates(date: bytes, sent: tuple[int, int]) -> None:
    rendered = render(b"Date: %b\r\n\r\n" % date)
    assert (rendered.sent, rendered.sent_day) == sent


@pytest.mark.parametrize(
    ("subject", "base", "reply"),
    [
        ("Hello", "hello", False),
        ("Re: Hello", "hello", True),
        ("RE[2]: FW: Hello (fwd)", "hello", True),
        ("[list] Re: [list] Hello", "hello", True),
        ("[list] Hello", "hello", False),
        ("[fwd: Hello]", "hello", True),
        ("[only a blob]", "[only a blob]", False),
        ("Re:", "", True),
        ("[a][b] re: [c] fwd: [d] x", "x", True),
        ("re: [a][b]", "[b]", True),
        ("[fwd: re: Hello (fwd)]", "hello", True),
        ("  many   spaces ", "many spaces", False),
        ("Re : 회의록", "회의록", True),
    ],
)
def test_base_subject(subject: str, base: str, reply: bool) -> None:
    rendered = render(f"Subject: {subject}\r\n\r\n".encode())
    assert (rendered.base_subject, rendered.is_reply) == (base, reply)


@pytest.mark.parametrize(
    ("value", "structure"),
    [
        (b'application/pdf name="a.pdf"', b'("application" "pdf" ("name" "a.pdf") NIL NIL "7bit" 3 NIL NIL NIL NIL)'),
        (b'image/png; name="a.png" x=y', b'("image" "png" ("name" "a.png" "x" "y") NIL NIL "7bit" 3 NIL NIL NIL NIL)'),
        (b"image/png; name=a (1).png", b'("image" "png" ("name" "a (1).png") NIL NIL "7bit" 3 NIL NIL NIL NIL)'),
        (b"image/png; name=a(1) (a; b)", b'("image" "png" ("name" "a(1)") NIL NIL "7bit" 3 NIL NIL NIL NIL)'),
        (b"image / png (x (y)) ; a=b", b'("image" "png" ("a" "b") NIL NIL "7bit" 3 NIL NIL NIL NIL)'),
        (b"image/png; a=b (", b'("image" "png" ("a" "b (") NIL NIL "7bit" 3 NIL NIL NIL NIL)'),
    ],
)
def test_types_that_are_not_well_formed(value: bytes, structure: bytes) -> None:
    assert render(b"Content-Type: %b\r\n\r\nx\r\n" % value).structure == structure


def test_a_message_without_a_date_is_another_than_one_of_the_epoch() -> None:
    assert render(b"Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n\r\n").sent == 0 != render(b"\r\n").sent == NO_DATE


def test_ids_are_compared_without_needless_quotes_and_are_ids() -> None:
    """RFC 5256 section 3 on normalizing; RFC 5322 section 3.6.4 on what an id is."""
    rendered = render(
        b'Message-ID: <"01KF8JCEOCBS0045PS"@x.test>\r\nReferences: <yes> <"a b"@x> <"c\\d"@x> <"e:f"@x>\r\n\r\n'
    )
    assert rendered.message_id == "01KF8JCEOCBS0045PS@x.test"
    assert rendered.references == ("cd@x", '"e:f"@x')
    assert render(b"Message-ID: <yes>\r\nReferences: <yes>\r\nIn-Reply-To: <yes> <a@x>\r\n\r\n").references == ("a@x",)
    assert render(b"Message-ID: <yes>\r\n\r\n").message_id == ""


def test_references_are_those_of_the_field_or_the_one_replied_to() -> None:
    assert render(b"References: <a@x>\r\n <b@x> junk\r\nIn-Reply-To: <c@x>\r\n\r\n").references == ("a@x", "b@x")
    assert render(b"In-Reply-To: your mail <c@x> <d@x>\r\n\r\n").references == ("c@x",)


_LINES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/html; charset=utf-7\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: x-uuencode\r\n",
        b"Content-Disposition: attachment; filename*=euc-kr''%b0%a1; x\r\n",
        b"From: a: b, <c@d>; (\r\n",
        b"Subject: =?utf-8?B?////?= \xff\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"\r\n",
        b"\n",
        b"<!-- <script> &#x110000; <p",
        b"begin 644 x\r\n#86)C\r\n",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(_LINES, st.binary(max_size=30)), max_size=25).map(b"".join))
@example(b"")
@example(b"\r\n")
@example(b":\r\n: x\r\n\r\n")
def test_garbage_never_raises_and_always_renders_to_the_grammar(content: bytes) -> None:
    rendered = render(content)
    check_envelope(parse(rendered.envelope))
    check_structure(parse(rendered.structure), extended=True)
    check_structure(parse(rendered.body_structure), extended=False)
    assert 0 <= rendered.header_size <= len(content)
