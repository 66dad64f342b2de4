"""A strict reader of IMAP's data grammar for tests: quoted strings, literals, numbers, NIL and lists (RFC 9051 section 9)."""

from __future__ import annotations

import re

Value = bytes | int | None | list["Value"]

_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00\x80-\xff]|\\["\\])*)"')
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")
_NUMBER = re.compile(rb"\d+")


def parse(data: bytes) -> Value:
    """Raises ValueError unless `data` is exactly one value."""
    value, place = _value(data, 0)
    if place != len(data):
        raise ValueError(f"left over: {data[place : place + 40]!r}")
    return value


def _value(data: bytes, place: int) -> tuple[Value, int]:
    if data.startswith(b"(", place):
        place += 1
        items: list[Value] = []
        while not data.startswith(b")", place):
            if items and data.startswith(b" ", place):
                place += 1
            elif items and not (isinstance(items[-1], list) and data.startswith(b"(", place)):
                raise ValueError(f"no space at {place}: {data[place : place + 40]!r}")
            item, place = _value(data, place)
            items.append(item)
        return items, place + 1
    if data.startswith(b"NIL", place):
        return None, place + 3
    if match := _QUOTED.match(data, place):
        return re.sub(rb"\\(.)", rb"\1", match[1]), match.end()
    if match := _LITERAL.match(data, place):
        end = match.end() + int(match[1])
        value = data[match.end() : end]
        if len(value) != int(match[1]) or b"\0" in value:
            raise ValueError("bad literal")
        return value, end
    if match := _NUMBER.match(data, place):
        return int(match[0]), match.end()
    raise ValueError(f"nothing at {place}: {data[place : place + 40]!r}")


def check_envelope(value: Value) -> None:
    """env-date, env-subject, six address lists, in-reply-to, message-id."""
    assert isinstance(value, list) and len(value) == 10
    for place in (0, 1, 8, 9):
        assert value[place] is None or isinstance(value[place], bytes)
    for place in range(2, 8):
        addresses = value[place]
        assert addresses is None or (isinstance(addresses, list) and addresses)
        for address in addresses or []:
            assert isinstance(address, list) and len(address) == 4
            assert all(part is None or isinstance(part, bytes) for part in address)


def check_structure(value: Value, extended: bool) -> None:
    """body-type-mpart or body-type-1part with its three kinds."""
    assert isinstance(value, list)
    if isinstance(value[0], list):
        parts = [item for item in value if isinstance(item, list)]
        count = next(place for place, item in enumerate(value) if not isinstance(item, list))
        for part in parts[:count]:
            check_structure(part, extended)
        assert isinstance(value[count], bytes)
        assert len(value) - count == (5 if extended else 1)
        return
    kind, subtype, parameters, content_id, description, encoding, size, *rest = value
    assert isinstance(kind, bytes) and isinstance(subtype, bytes) and isinstance(encoding, bytes)
    assert isinstance(size, int)
    assert parameters is None or (isinstance(parameters, list) and len(parameters) % 2 == 0)
    assert all(isinstance(item, bytes) for item in parameters or [])
    for string in (content_id, description):
        assert string is None or isinstance(string, bytes)
    if kind == b"text":
        assert isinstance(rest.pop(0), int)
    elif kind == b"message" and subtype in (b"rfc822", b"global"):
        check_envelope(rest.pop(0))
        check_structure(rest.pop(0), extended)
        assert isinstance(rest.pop(0), int)
    assert len(rest) == (4 if extended else 0)
