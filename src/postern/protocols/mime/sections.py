"""Sections of a message as IMAP names them (RFC 9051 section 6.4.5), for BODY[...] and BINARY[...]."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from postern.protocols.mime.header import Fields, header_end, lines_end, split_fields
from postern.protocols.mime.structure import Part, scan
from postern.protocols.mime.transfer import can_decode, from_transfer

_NO_FIELDS = Fields([], {})


class Missing(Enum):
    """Reasons for which BINARY has no data: there is no such part, or its transfer encoding is not known (RFC 3516
    UNKNOWN-CTE)."""

    NO_PART = 0
    UNKNOWN_CTE = 1


def section(content: bytes, part: Sequence[int], what: str = "", fields: Sequence[bytes] = ()) -> bytes | None:
    """The octets of a section; None (NIL) if the message does not have it.

    `part` are the numbers ("2.1" is (2, 1), nothing is the whole message); `what` is "", "HEADER", "TEXT", "MIME",
    "HEADER.FIELDS" or "HEADER.FIELDS.NOT" in upper case, the last two with names in `fields`.

    Bound: linear in the content, for each level of nesting; nothing longer than the content comes out.
    """
    if not part:
        if what == "":
            return content
        return _of_message(content, 0, header_end(content, 0, len(content)), len(content), what, fields)
    target = find_part(scan(content), part)
    if target is None:
        return None
    if what == "":
        return content[target.body : target.end]
    if what == "MIME":
        return content[target.start : target.body]
    if not target.is_message:
        return None
    message = target.children[0]
    return _of_message(content, message.start, message.body, message.end, what, fields)


def find_part(root: Part, numbers: Sequence[int]) -> Part | None:
    """The part with these numbers. A message that is no multipart has its body as part 1."""
    part = root
    for depth, number in enumerate(numbers):
        if depth == 0:
            message: Part | None = root
        elif part.is_message:
            message = part.children[0]
        else:
            message = None
        container = part if message is None else message
        if container.is_multipart:
            if number == 1 and not container.children:
                part = Part(container.end, container.end, container.end, _NO_FIELDS, b"text", b"plain", ())
            elif 1 <= number <= len(container.children):
                part = container.children[number - 1]
            else:
                return None
        elif message is not None and number == 1:
            part = message
        else:
            return None
    return part


def binary(content: bytes, part: Sequence[int]) -> bytes | Missing:
    """A part without its transfer encoding (RFC 9051 section 6.4.5, BINARY). A multipart has none.

    Bound: linear in the content, for each level of nesting; nothing longer than the content comes out.
    """
    target = find_part(scan(content), part)
    if target is None:
        return Missing.NO_PART
    if not part:
        return content
    encoding = target.encoding.decode("latin-1")
    data = content[target.body : target.end]
    if target.is_multipart or target.is_message:
        return data
    return from_transfer(data, encoding) if can_decode(encoding) else Missing.UNKNOWN_CTE


def header_fields(header: bytes, names: Sequence[bytes], exclude: bool = False) -> bytes:
    """The lines of these fields as they stand, and an empty line; with `exclude` those of all others, and the empty line if there
    is one.

    Bound: linear in the header and the names.
    """
    wanted = {name.lower() for name in names}
    end = lines_end(header)
    kept = []
    for name, field in split_fields(header if end < 0 else header[:end], most=None):
        if (name in wanted) != exclude:
            kept.append(field if field.endswith(b"\n") else field + b"\r\n")
    # RFC 9051 section 6.4.5: the empty line is there "except in the case of a message that has no body and no blank line".
    # Other servers end fields that were asked for by name with one all the same, and clients look for it.
    if end >= 0 or not exclude:
        kept.append(b"\r\n")
    return b"".join(kept)


def _of_message(content: bytes, start: int, body: int, end: int, what: str, fields: Sequence[bytes]) -> bytes | None:
    if what == "HEADER":
        return content[start:body]
    if what == "TEXT":
        return content[body:end]
    if what in ("HEADER.FIELDS", "HEADER.FIELDS.NOT"):
        return header_fields(content[start:body], fields, exclude=what.endswith("NOT"))
    return None
