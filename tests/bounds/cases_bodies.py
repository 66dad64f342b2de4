"""Worst cases of what reads and writes the bodies and parts of messages: items.html, items.mail_content and their like."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from postern.items import conversations, html, mail_content, message_properties, quoting
from postern.items.mail_content import Form, MailContent
from postern.protocols.mime import layout, rendered_values, structure, writing
from tests.bounds.growth import Builder, Cases, Work

L = "protocols.mime.layout."
V = "protocols.mime.rendered_values."
W = "protocols.mime.writing."
C = "items.mail_content."


def _parts(size: int) -> bytes:
    part = b"--B\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n"
    return b"Content-Type: multipart/mixed; boundary=B\r\n\r\n" + part * (size // len(part))


def _nodes(size: int) -> layout.Node:
    """Many parts of a multipart, which a message has fewer of."""
    parts = [layout.Node(number, b"message", b"rfc822") for number in range(size // 100)]
    return layout.Node(0, b"multipart", b"mixed", children=parts)


def _structure(size: int) -> bytes:
    return (
        b"(" + b'("text" "plain" NIL NIL NIL "7bit" 1 1 NIL NIL NIL NIL)' * (size // 55) + b' "mixed" NIL NIL NIL NIL)'
    )


def _shown(work: Callable[[bytes, layout.Layout], object]) -> Builder:
    def build(size: int) -> Work:
        octets = _parts(size)
        return partial(work, octets, layout.layout(layout.of_part(structure.scan(octets))))

    return build


def _of_part(work: Callable[[bytes, layout.Node], object], head: bytes) -> Builder:
    def build(size: int) -> Work:
        octets = head + b"\r\n\r\n" + b"=20<&" * (size // 5)
        return partial(work, octets, layout.of_part(structure.scan(octets)))

    return build


def _header(work: Callable[[MailContent], object]) -> Builder:
    return lambda size: partial(
        lambda octets: work(MailContent(octets)), b"To: a@b.test,\r\n c@d.test\r\n" * (size // 27)
    )


def _record(content: MailContent) -> message_properties.MailRecord:
    return message_properties.MailRecord(content)


CASES: Cases = {
    V + "read_values": lambda size: partial(rendered_values.read_values, b"(" + b'("a" NIL {1}\r\nx)' * (size // 17)),
    V + "read_values: deep": lambda size: partial(rendered_values.read_values, b"(" * size),
    V + "read_values: quotes": lambda size: partial(rendered_values.read_values, b'("' + b'\\"' * (size // 2)),
    V + "read_envelope": lambda size: partial(
        rendered_values.read_envelope,
        b'("d" "s" (' + b'("n" NIL "m" "h")' * (size // 17) + b') NIL NIL NIL NIL NIL "r" "i")',
    ),
    V + "read_subject": lambda size: partial(rendered_values.read_subject, b'("d" "' + b'\\"' * (size // 2) + b'" NIL'),
    L + "read_structure": lambda size: partial(layout.read_structure, _structure(size)),
    L + "of_part": lambda size: partial(layout.of_part, structure.scan(_parts(size))),
    L + "layout": lambda size: partial(layout.layout, _nodes(size)),
    L + "every_attachment": lambda size: lambda: list(layout.every_attachment(_nodes(size))),
    L + "has_attachments": lambda size: partial(layout.has_attachments, _nodes(size)),
    W + "one_line": lambda size: partial(writing.one_line, "\0 a" * (size // 3)),
    W + "text_field": lambda size: partial(writing.text_field, "Subject", "ä b " * (size // 4)),
    W + "text_field: spaces": lambda size: partial(writing.text_field, "Subject", " " * size + "x"),
    W + "person": lambda size: partial(writing.person, '"\\' * (size // 2), "a@b.test"),
    W + "people_field": lambda size: partial(writing.people_field, "To", [("ä", "a@b.test")] * (size // 10)),
    W + "parameter": lambda size: partial(writing.parameter, "name", "ä" * (size // 2)),
    W + "base64_lines": lambda size: partial(writing.base64_lines, bytes(size)),
    W + "text_part": lambda size: partial(writing.text_part, "plain", "a\r" * (size // 2)),
    "items.conversations.prefix_of": lambda size: partial(conversations.prefix_of, "re: " * (size // 4)),
    "items.conversations.topic_of": lambda size: partial(conversations.topic_of, "re: " + " " * size),
    "items.conversations.number_of": lambda size: partial(conversations.number_of, "a " * (size // 2)),
    "items.html.filtered: formats": lambda size: partial(
        html.filtered, "<b title=x>" * (size // 22) + "<p>x" * (size // 8)
    ),
    "items.html.filtered_fragment": lambda size: partial(html.filtered_fragment, "<i>&lt;" * (size // 7)),
    "items.html.filtered: text": lambda size: partial(html.filtered, "a&b " * (size // 4)),
    "items.html.text_of": lambda size: partial(html.text_of, "</script <a" * (size // 11)),
    "items.html.of_text": lambda size: partial(html.of_text, "<  \r" * (size // 4)),
    "items.html.fragment_of_text": lambda size: partial(html.fragment_of_text, "\r\n" * (size // 2)),
    C + "decoded": _of_part(mail_content.decoded, b"Content-Transfer-Encoding: quoted-printable"),
    C + "octets_of": _of_part(mail_content.octets_of, b"Content-Transfer-Encoding: base64"),
    C + "best": _shown(mail_content.best),
    C + "as_text": _shown(mail_content.as_text),
    C + "as_html": _shown(mail_content.as_html),
    C + "MailContent.text": _header(lambda it: it.text("Subject")),
    C + "MailContent.raw": _header(lambda it: it.raw("To")),
    C + "MailContent.set_text": _header(lambda it: it.set_text("To", "x")),
    C + "MailContent.people": _header(lambda it: it.people("To")),
    C + "file": lambda size: partial(mail_content.file, bytes(size), "x", "a/b"),
    C + "message": lambda size: partial(mail_content.message, b"\r\n" * (size // 2)),
    "items.message_properties.importance": lambda size: partial(message_properties.importance, " " * size, " " * size),
    "items.message_properties.sensitivity": lambda size: partial(message_properties.sensitivity, " " * size + "x"),
    "items.message_properties.conversation_index": lambda size: partial(
        message_properties.conversation_index, "A" * size
    ),
    "items.message_properties.header_text": _header(lambda it: message_properties.header_text(_record(it))),
    "items.quoting.reply_subject": lambda size: partial(quoting.reply_subject, "FW: " * (size // 4)),
    "items.quoting.forward_subject": lambda size: partial(quoting.forward_subject, "RE: " * (size // 4)),
    "items.quoting.references": lambda size: partial(quoting.references, b"<" * size, b"<a@b>" * (size // 5)),
    "items.quoting.with_quoted": lambda size: partial(
        quoting.with_quoted,
        Form("<body " * (size // 12), True),
        quoting.Quoted("a", "b", "c", "d", "e", Form("</body" * (size // 12), True)),
    ),
}
