"""Reads and writes elements of BER and DER (X.690) with definite lengths, as LDAP (RFC 4511 section 5.1), LDAP controls and
SPNEGO use them. A length need not be the shortest.
"""

from __future__ import annotations

from collections.abc import Iterator

SEQUENCE, SET, OCTETS, INTEGER, ENUMERATED, BOOLEAN = 0x30, 0x31, 0x04, 0x02, 0x0A, 0x01


class BerError(ValueError):
    """The octets are not what is expected there."""


def element(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def integer(number: int, tag: int = INTEGER) -> bytes:
    """The element of a number that is not negative; another `tag` makes it an ENUMERATED."""
    return element(tag, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def size(data: bytes | bytearray) -> int | None:
    """Octets of the element that `data` begins with, with its head; None while the head is not there. Raises BerError."""
    if len(data) < 2:
        return None
    length, head = data[1], 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4:
            raise BerError("a length of no definite form")
        head += octets
        if len(data) < head:
            return None
        length = int.from_bytes(data[2:head], "big")
    return head + length


def take(data: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """The content of the element at `at`, which has this tag, and where the next one begins. Raises BerError.

    Bound: constant, but for the content that is copied.
    """
    if at >= len(data) or data[at] != tag:
        raise BerError(f"no element {tag:#x}")
    _, content, end = next_element(data, at)
    return content, end


def next_element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """The tag and the content of the element at `at`, and where the next one begins. Raises BerError.

    Bound: constant, but for the content that is copied.
    """
    whole = size(data[at : at + 6])
    if whole is None or at + whole > len(data):
        raise BerError("an element that is cut off")
    head = 2 + (data[at + 1] & 0x7F if data[at + 1] & 0x80 else 0)
    return data[at], data[at + head : at + whole], at + whole


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements that `data` consists of, as tags and contents. Raises BerError.

    Bound: linear.
    """
    at = 0
    while at < len(data):
        tag, content, at = next_element(data, at)
        yield tag, content
