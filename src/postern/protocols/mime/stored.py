"""Makes a message fit to be stored: every line ends in CRLF, there is no NUL, and binary data that this would harm is in base64.

A mail consists of lines that end in CRLF (RFC 5322 section 2.3), and no literal of IMAP may hold NUL (RFC 9051 section 9,
`CHAR8`). Clients that keep files of their own append bare LF, and with BINARY (RFC 3516) anything at all. A lone CR is text.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator

from postern.protocols.mime.header import split_fields
from postern.protocols.mime.structure import Part, scan

_ENCODING = b"content-transfer-encoding"
_LINE = 57
"""Octets of a base64 line of 76 characters (RFC 2045 section 6.8)."""


def made_fit(content: bytes) -> bytes:
    """Puts CRLF for bare LF, removes NUL, and encodes in base64 the binary parts that this would change (RFC 3516 section 4.4
    allows a server to encode a part that it cannot keep as it is; BINARY decodes it again).

    Bound: linear in the message; no longer than twice its length and 100 octets for each of at most 4,096 parts.
    """
    if is_fit(content):
        return content
    pieces: list[bytes] = []
    done = 0
    for part in _leaves(scan(content)):
        body = content[part.body : part.end]
        if part.encoding != b"binary" or _survives(part, body):
            continue
        pieces += [_lines(content[done : part.start]), _lines(_encoded_header(content[part.start : part.body]))]
        pieces.append(_base64(body))
        done = part.end
    pieces.append(_lines(content[done:]))
    return b"".join(pieces)


def is_fit(content: bytes) -> bool:
    """Whether the message can be stored as it is, octet for octet.

    Bound: linear in the message.
    """
    return b"\0" not in content and content.count(b"\n") == content.count(b"\r\n")


def _survives(part: Part, body: bytes) -> bool:
    """Whether a part survives without an encoding: text does unless it has a NUL; other data only if nothing changes."""
    return b"\0" not in body if part.type == b"text" else is_fit(body)


def _leaves(part: Part) -> Iterator[Part]:
    if part.children:
        for child in part.children:
            yield from _leaves(child)
    elif not part.is_multipart:
        yield part


def _encoded_header(header: bytes) -> bytes:
    """Rewrites the header of a part whose body becomes base64."""
    fields = []
    for name, field in split_fields(header, most=None):
        fields.append(b"Content-Transfer-Encoding: base64\r\n" if name == _ENCODING else field)
    return b"".join(fields)


def _base64(body: bytes) -> bytes:
    view = memoryview(body)
    return b"\r\n".join(
        [binascii.b2a_base64(view[at : at + _LINE], newline=False) for at in range(0, len(body), _LINE)]
    )


def _lines(text: bytes) -> bytes:
    return text.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
