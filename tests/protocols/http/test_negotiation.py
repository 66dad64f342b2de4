"""Codings and media types that a client takes, and the type of what it sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.http.negotiation import (
    MAX_ELEMENTS,
    ContentType,
    content_coding,
    parse_content_type,
    preferred,
)


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        (None, "identity"),
        (b"", "identity"),
        (b"gzip", "gzip"),
        (b"GZip", "gzip"),
        (b"x-gzip", "gzip"),
        (b"gzip, deflate, br", "gzip"),
        (b"deflate, br", "identity"),
        (b"*", "gzip"),
        (b"gzip;q=0", "identity"),
        (b"gzip ; Q=0.000", "identity"),
        (b"*;q=0", None),
        (b"identity;q=0", None),
        (b"identity;q=0, gzip;q=0.1", "gzip"),
        (b"gzip;q=0, *", "identity"),
        (b"gzip;q=0.5, identity", "identity"),
        (b"gzip;q=0.5, identity;q=0.5", "gzip"),
        (b"gzip;q=1.0, identity; q=0.5, *;q=0", "gzip"),
        (b"gzip;q=a", "identity"),
        (b"gzip deflate, gzip", "gzip"),
        (b"a," * MAX_ELEMENTS + b"gzip", "identity"),
    ],
)
def test_codings(value: bytes | None, coding: str | None) -> None:
    assert content_coding(value, ("gzip",)) == coding


def test_the_better_coding() -> None:
    assert content_coding(b"gzip, br", ("br", "gzip")) == "br"
    assert content_coding(b"gzip, br;q=0.9", ("br", "gzip")) == "gzip"


HTML, JSON, TEXT = "text/html", "application/json", "text/plain; charset=utf-8"
VCARDS = ("text/vcard; version=3.0", "text/vcard; version=4.0")


@pytest.mark.parametrize(
    ("value", "offered", "chosen"),
    [
        (None, (HTML, JSON), HTML),
        (b" ", (HTML, JSON), HTML),
        (b"*/*", (HTML, JSON), HTML),
        (b"application/json", (HTML, JSON), JSON),
        (b"Application/JSON;q=0.1", (HTML, JSON), JSON),
        (b"text/*;q=0.5, application/json", (HTML, JSON), JSON),
        (b"text/*", (JSON, TEXT), TEXT),
        (b"text/*, text/html;q=0", (HTML, TEXT), TEXT),
        (b"*/*;q=0.1, text/html;q=0.2", (JSON, HTML), HTML),
        (b"image/png", (HTML, JSON), None),
        (b"*/*;q=0", (HTML, JSON), None),
        (b"text/html;level=1", (HTML,), None),
        (b"text/vcard; version=4.0", VCARDS, VCARDS[1]),
        (b'text/vcard; version="4.0", text/vcard;q=0.5', VCARDS, VCARDS[1]),
        (b"text/vcard; version=4.0;q=0.5, text/vcard", VCARDS, VCARDS[0]),
        (b"text/vcard", VCARDS, VCARDS[0]),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", (JSON, HTML), HTML),
        (b"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", (JSON, HTML), HTML),
        (b'a/b;c="d,e\\"", application/json', (HTML, JSON), JSON),
        (b'a/b;c="unfinished, application/json', (HTML, JSON), JSON),
    ],
)
def test_media_types(value: bytes | None, offered: tuple[str, ...], chosen: str | None) -> None:
    assert preferred(value, offered) == chosen


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, ContentType("", "", ())),
        (b"text/xml", ContentType("text/xml", "", ())),
        (b'Text/Calendar; Charset="UTF-8"', ContentType("text/calendar", "utf-8", (("charset", "UTF-8"),))),
        (
            b"text/vcard; version=4.0;charset=utf-8",
            ContentType("text/vcard", "utf-8", (("version", "4.0"), ("charset", "utf-8"))),
        ),
        (b"xml", ContentType("", "", ())),
        (b"\xff/\xff", ContentType("\ufffd/\ufffd", "", ())),
    ],
)
def test_content_types(value: bytes | None, kind: ContentType) -> None:
    assert parse_content_type(value) == kind


@given(st.binary(max_size=100) | st.text('gzip;q=01., */"\\').map(str.encode))
def test_nothing_raises(value: bytes) -> None:
    content_coding(value, ("gzip",))
    preferred(value, (HTML, JSON))
    parse_content_type(value)
