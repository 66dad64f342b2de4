"""The text of a message as its reader sees it, for SEARCH: decoded, tags of HTML removed, folded for comparison."""

from __future__ import annotations

import html
import re

from postern.protocols.mime.address import Address, address_list, is_plain
from postern.protocols.mime.charsets import MAX_LABEL, decode
from postern.protocols.mime.envelope import joined
from postern.protocols.mime.header import Fields
from postern.protocols.mime.parameters import parameter, parse_value
from postern.protocols.mime.structure import Part
from postern.protocols.mime.transfer import from_transfer
from postern.protocols.mime.words import decode_words, fold_within

MAX_TEXT = 8 << 20
"""Octets of folded text that the header, and again the body, of one message give to search."""

# Possessive (*+): an unclosed tag must not cost quadratic time.
_TAG = re.compile(r"<(?:!|/?([a-zA-Z][a-zA-Z0-9]*+))[^<>]*+>")
_INLINE_NAMES = """
    a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd label mark q s samp small span strike strong sub sup
    tt u var wbr
"""
_INLINE = frozenset(_INLINE_NAMES.split())
_SPACES = re.compile(r"\s{2,}+")
_LONG_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{10,}+")
_HIDDEN = ("script", "style")


def header_text(fields: Fields, hint: str = "") -> str:
    """Gives "\\nname:value" for every field, decoded and folded. Where an address field does not read as IMAP's envelope tells
    it, the envelope's names and addresses follow as "\\n name:value".

    Bound: linear in the fields; at most MAX_TEXT octets.
    """
    block = b"".join([b"\n%b:%b" % field for field in fields.ordered])
    envelope = _envelope_lines(fields)
    if block.isascii() and b"=?" not in block and not envelope:
        return block.decode("ascii").lower()
    text = "".join([f"\n{name.decode('latin-1')}:{_line(value, hint)}" for name, value in fields.ordered])
    return fold_within(text + envelope, MAX_TEXT)


def _envelope_lines(fields: Fields) -> str:
    """Address fields as the envelope has them, for FROM, TO, CC and BCC (RFC 9051 section 6.4.4). A field that has
    neither comments nor escapes and holds every address as the envelope does needs no second line."""
    lines = []
    for name in (b"from", b"to", b"cc", b"bcc"):
        value = joined(fields, name)
        if not value or is_plain(value):
            continue
        addresses = [address for address in address_list(value)[0] if address.complete]
        if not _agrees_with_envelope(value, addresses):
            shown = [f"{decode_words(address.name or b'')} <{address.address}>" for address in addresses]
            lines.append(f"\n {name.decode()}:{_one_line(', '.join(shown))}")
    return "".join(lines)


def _agrees_with_envelope(value: bytes, addresses: list[Address]) -> bool:
    if b"(" in value or b"\\" in value:
        return False
    place = 0
    for address in addresses:
        place = value.find(b"%b@%b" % (address.mailbox or b"", address.host or b""), place) + 1
        if not place:
            return False
    return True


def _line(value: bytes, hint: str) -> str:
    """A field as one line, whatever its encoded words hold."""
    return _one_line(decode_words(value, hint))


def _one_line(text: str) -> str:
    return text.replace("\n", " ") if "\n" in text else text


def body_text(content: bytes, root: Part) -> str:
    """Gives all text parts, the headers of messages within, and the names of attachments; folded.

    Bound: linear in the content; MAX_TEXT octets of it are decoded, and at most as many come out.
    """
    parts: list[str] = []
    room = MAX_TEXT
    stack = [root]
    while stack and room > 0:
        part = stack.pop()
        if part is not root:
            charset = _charset(part)
            parts.extend([decode_words(value, charset) for _, value in part.fields.ordered])
            _add_file_name(part, parts)
        if part.children:
            stack.extend(reversed(part.children))
        elif part.type == b"text" or part.type == b"message":
            raw = content[part.body : min(part.end, part.body + room)]
            room -= len(raw)
            parts.append(_leaf_text(part, raw))
    return fold_within("\n".join(parts), MAX_TEXT)


def _charset(part: Part) -> str:
    return parameter(part.parameters, b"charset")[:MAX_LABEL]


def _leaf_text(part: Part, raw: bytes) -> str:
    encoding = part.encoding.decode("latin-1")
    text = decode(from_transfer(raw, encoding), _charset(part))
    return html_text(text) if part.subtype == b"html" else text


def _add_file_name(part: Part, parts: list[str]) -> None:
    """Adds a file name in RFC 2231's encoding, which a search of the raw field would not find."""
    for name, value in part.fields.ordered:
        if name == b"content-disposition" and b"*" in value:
            parts.append(parameter(parse_value(value)[1], b"filename"))
        elif name == b"content-type" and b"*" in value:
            parts.append(parameter(part.parameters, b"name"))


def html_text(source: str) -> str:
    """The text that a browser would show: no tags, comments, scripts or styles. Inline tags join words; others part lines.

    Bound: linear in the source, and not longer than it.
    """
    text = source
    if "<!--" in text:
        text = _without(text, text, "<!--", "-->")
    lowered = text.lower()
    for name in _HIDDEN:
        if f"<{name}" in lowered and len(lowered) == len(text):
            text = _without(text, lowered, f"<{name}", f"</{name}")
            lowered = text.lower()
    text = _TAG.sub(_tag, text)
    if "&" in text:
        # Numbers too long for int() are no characters.
        text = html.unescape(_LONG_NUMBER.sub("", text))
    return _SPACES.sub(_space, text).strip()


def _tag(match: re.Match[str]) -> str:
    name = match[1]
    return "" if name is not None and name.lower() in _INLINE else "\n"


def _space(match: re.Match[str]) -> str:
    return "\n" if "\n" in match[0] else " "


def _without(text: str, lowered: str, opening: str, closing: str) -> str:
    """Removes everything from each `opening` to the next `closing`, in one pass; an unclosed one stays."""
    kept = []
    place = 0
    while (start := lowered.find(opening, place)) >= 0:
        stop = lowered.find(closing, start)
        if stop < 0:
            break
        kept.append(text[place:start])
        place = stop + len(closing)
    kept.append(text[place:])
    return "".join(kept)
