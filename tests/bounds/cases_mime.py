"""Worst cases of what reads mails: protocols.mime."""

from __future__ import annotations

from functools import partial

from postern.protocols.mime import (
    address,
    charsets,
    comments,
    dates,
    envelope,
    grammar,
    header,
    line_ends,
    message,
    parameters,
    sections,
    stored,
    structure,
    subject,
    text,
    transfer,
    words,
)
from tests.bounds.growth import Cases, Work

MARKS = "\u0300\u0316"
"""In the wrong order: sorted by swapping, a run of them takes the square of its length."""
M = "protocols.mime."


def _message(head: bytes, body: bytes = b"") -> Work:
    return partial(message.render, head + b"\r\n\r\n" + body)


def _text(size: int, fields: bytes, pattern: bytes) -> Work:
    return _message(fields, pattern * (size // len(pattern)))


def _many_fields_of_a_long_charset(size: int) -> Work:
    part = b"--a\r\nContent-Type: text/plain; charset=" + b"x" * (size // 2) + b"\r\n"
    fields = b"a:b\r\n" * (size // 10)
    return _message(b"Content-Type: multipart/mixed; boundary=a", part + fields + b"\r\n")


def _nested(size: int) -> Work:
    levels = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(70))
    return partial(message.render, levels + b"--b\r\n" * (size // 5))


def _body_text(size: int) -> Work:
    content = b"Content-Type: text/html\r\n\r\n" + b"<a <!--&#1" * (size // 10)
    return partial(text.body_text, content, structure.scan(content))


def _siblings(size: int) -> bytes:
    sibling = b"--B\r\nContent-Type: multipart/mixed; boundary=u%d\r\n\r\n"
    siblings = b"".join([sibling % number for number in range(size // 100)])
    return b"Content-Type: multipart/mixed; boundary=B\r\n\r\n" + siblings + b"a\r\n" * (size // 6)


def _structure(size: int) -> Work:
    content = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b'--a\r\nContent-ID: "\\\r\n\r\n' * (size // 24)
    return partial(structure.render_structure, content, structure.scan(content))


def _fields(size: int, line: bytes) -> header.Fields:
    block = line * (size // len(line))
    return header.parse_fields(block, 0, len(block))


_BINARY = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\nContent-Transfer-Encoding: binary\r\n\r\n"


CASES: Cases = {
    M + "address.address_list: an open comment": lambda size: partial(address.address_list, b"(" * size),
    M + "address.address_list: quotes": lambda size: partial(address.address_list, b'"\\' * (size // 2)),
    M + "address.address_list: colons behind an at": lambda size: partial(
        address.address_list, b"a " * (size // 4) + b"@" + b":" * (size // 2)
    ),
    M + "address.address_list: blanks behind <": lambda size: partial(address.address_list, b"<" + b" " * size),
    M + "address.address_list: forgotten commas": lambda size: partial(address.address_list, b"a@b " * (size // 4)),
    M + "address.address_list: comments behind": lambda size: partial(
        address.address_list, b"a@b " + b"(c)" * (size // 3)
    ),
    M + "comments.comment_end": lambda size: partial(comments.comment_end, b"(" * size, 0),
    M + "comments.without_comments: open": lambda size: partial(comments.without_comments, b"(" * size),
    M + "comments.without_comments: many": lambda size: partial(comments.without_comments, b"(a)" * (size // 3), False),
    M + "line_ends.with_line_ends": lambda size: partial(line_ends.with_line_ends, b"\r\r\n" * (size // 3)),
    M + "address.is_plain": lambda size: partial(address.is_plain, b"a " * (size // 2)),
    M + "address.mailbox_list: blanks behind <": lambda size: partial(address.mailbox_list, b"<" + b" " * size),
    M + "address.mailbox_list: words": lambda size: partial(address.mailbox_list, b"a " * (size // 2)),
    M + "charsets.decode": lambda size: partial(charsets.decode, b"\x1b$B" * (size // 3), "iso-2022-jp"),
    M + "charsets.decode: nothing that it says": lambda size: partial(charsets.decode, b"+AAA" * (size // 4), "utf-7"),
    M + "comments.comment_end: escapes": lambda size: partial(comments.comment_end, b"(" + b"\\(" * (size // 2), 0),
    M + "comments.without_comments: quotes": lambda size: partial(comments.without_comments, b'()"' * (size // 3)),
    M + "dates.parse_date": lambda size: partial(dates.parse_date, b"(" * size),
    M + "envelope.render_envelope": lambda size: partial(envelope.render_envelope, _fields(size, b"From: a@b, \r\n")),
    M + "grammar.string": lambda size: partial(grammar.string, b'"' * size),
    M + "header.lines_end": lambda size: partial(header.lines_end, b"a\r\n" * (size // 3)),
    M + "header.split_section": lambda size: partial(header.split_section, b"a\r\n" * (size // 3)),
    M + "header.header_end": lambda size: partial(header.header_end, b"a\r\n" * (size // 3), 0, size),
    M + "header.split_fields": lambda size: partial(header.split_fields, b"\n" * size),
    M + "header.begins_with_field": lambda size: partial(header.begins_with_field, b"a" * size),
    M + "header.value_of": lambda size: partial(header.value_of, b"a:" + b"\r\n " * (size // 3)),
    M + "header.parse_fields": lambda size: partial(header.parse_fields, b"\r\n " * (size // 3), 0, size),
    M + "header.has_too_many_fields": lambda size: partial(header.has_too_many_fields, b"\n " * (size // 2)),
    M + "header.first_value": lambda size: partial(header.first_value, b"\nfrom " * (size // 6), b"from"),
    M + "header.count_fields": lambda size: partial(header.count_fields, b"\nreceived" * (size // 9), b"received"),
    M + "stored.is_fit": lambda size: partial(stored.is_fit, b"\r\n" * (size // 2)),
    M + "stored.made_fit: bare feeds": lambda size: partial(stored.made_fit, b"\n" * size),
    M + "stored.made_fit: a part that is binary": lambda size: partial(
        stored.made_fit, _BINARY + b"\0\n" * (size // 2)
    ),
    M + "line_ends.with_line_ends: feeds": lambda size: partial(line_ends.with_line_ends, b"\r" * size),
    # Beyond 1 MB a header is cut, and what is cut within a character is no UTF-8 any more.
    M + "message.render: marks in the subject": lambda size: _message(
        b"Subject: " + MARKS.encode() * (min(size, 1 << 19) // 4)
    ),
    M + "message.render: a subject of no charset": lambda size: _message(b"Subject: " + b"\xcc" * size),
    M + "message.render: marks in the body": lambda size: _text(
        size, b"Content-Type: text/plain; charset=utf-8", MARKS.encode()
    ),
    M + "message.render: a ligature of 18 letters": lambda size: _text(
        size, b"Content-Type: text/plain; charset=utf-8", "\ufdfa".encode()
    ),
    M + "message.render: fields under a long charset": _many_fields_of_a_long_charset,
    M + "message.render: nesting": _nested,
    M + "message.render: parts": lambda size: _text(size, b"Content-Type: multipart/mixed; boundary=a", b"--a\r\n\r\n"),
    M + "message.render: references": lambda size: _message(b"References: " + b"<a" * (size // 2)),
    M + "message.render: bare line feeds": lambda size: _message(b"\n" * size),
    M + "parameters.parse_value: semicolons": lambda size: partial(
        parameters.parse_value, b"text/plain" + b"; " * (size // 2)
    ),
    M + "parameters.parse_value: a name without an end": lambda size: partial(
        parameters.parse_value, b"text/plain; " + b"a" * (size // 2) + b" " * (size // 2)
    ),
    M + "parameters.parse_value: escapes": lambda size: partial(
        parameters.parse_value, b'text/plain; a="' + b'\\"' * (size // 2)
    ),
    M + "parameters.parameter": lambda size: partial(
        parameters.parameter, ((b"name*", b"utf-8''" + b"%" * size),), b"name"
    ),
    M + "sections.section": lambda size: partial(sections.section, b"a\r\n" * (size // 3), (), "HEADER.FIELDS", [b"a"]),
    M + "sections.binary": lambda size: partial(
        sections.binary, b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\t " * (size // 3), (1,)
    ),
    M + "sections.header_fields": lambda size: partial(sections.header_fields, b":\n " * (size // 3), [b"a"]),
    M + "stored.made_fit: lines": lambda size: partial(stored.made_fit, b"A: b\n\n" + b"\n" * size),
    M + "stored.made_fit: parts": lambda size: partial(
        stored.made_fit,
        b"Content-Type: multipart/mixed; boundary=a\n\n"
        + b"--a\nContent-Type: a/b\nContent-Transfer-Encoding: binary\n\n\0" * (size // 60),
    ),
    M + "structure.scan: delimiters": lambda size: partial(
        structure.scan, b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--ab\r\n" * (size // 6)
    ),
    M + "structure.scan: siblings with boundaries that never come": lambda size: partial(
        structure.scan, _siblings(size)
    ),
    M + "structure.scan: a long boundary": lambda size: partial(
        structure.scan,
        b"Content-Type: multipart/mixed; boundary=" + b"a" * 999 + b"b\r\n\r\n--" + b"a" * size,
    ),
    M + "structure.render_structure": _structure,
    M + "subject.base_subject": lambda size: partial(subject.base_subject, "[fwd:" * (size // 10) + "]" * (size // 2)),
    M + "text.header_text": lambda size: partial(text.header_text, _fields(size, b"a: =?x?q?\xc3\xa9?=\r\n"), "x" * 64),
    M + "text.body_text": _body_text,
    M + "text.html_text: open tags": lambda size: partial(text.html_text, "<a" * (size // 2)),
    M + "text.html_text: open comments": lambda size: partial(text.html_text, "<!--" * (size // 4)),
    M + "text.html_text: scripts": lambda size: partial(text.html_text, "<script></script" * (size // 16)),
    M + "text.html_text: blanks": lambda size: partial(text.html_text, " \xa0\n" * (size // 3) + " " * size + "x"),
    M + "text.html_text: numbers": lambda size: partial(text.html_text, "&#" + "9" * size),
    M + "transfer.from_base64": lambda size: partial(transfer.from_base64, b"a=" * (size // 2)),
    M + "transfer.from_transfer: claims of uuencode": lambda size: partial(
        transfer.from_transfer, b"begin 644 x\n" + b"M\n" * (size // 2), "x-uuencode"
    ),
    M + "transfer.from_transfer: blanks": lambda size: partial(
        transfer.from_transfer, b" \t" * (size // 2) + b"x", "quoted-printable"
    ),
    M + "words.decode_words: short words": lambda size: partial(words.decode_words, b"=?a?q?x?= " * (size // 10)),
    M + "words.decode_words: open words": lambda size: partial(words.decode_words, b"=?a?q?" + b"x" * size),
    M + "words.decode_words: labels": lambda size: partial(words.decode_words, b"=?" * (size // 2)),
    M + "words.fold: marks": lambda size: partial(words.fold, MARKS * (size // 4)),
    M + "words.fold: marks of several classes": lambda size: partial(
        words.fold, "\u0345\u0f71\u0f73\u0301" * (size // 8)
    ),
    M + "words.fold: marks with letters between": lambda size: partial(words.fold, ("e" + MARKS * 15) * (size // 62)),
    M + "words.fold_within": lambda size: partial(words.fold_within, MARKS * (size // 4), 1 << 20),
}
