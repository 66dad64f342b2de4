"""Depth, Destination, Overwrite, Timeout, Lock-Token and Prefer, as clients write them and as nobody should."""

from __future__ import annotations

import pytest

from postern.protocols.dav.fields import (
    Depth,
    FieldError,
    Preferences,
    read_depth,
    read_lock_token,
    read_overwrite,
    read_preferences,
    read_timeout,
    read_url,
)


@pytest.mark.parametrize(
    ("value", "depth"),
    [(None, Depth.ONE), ("0", Depth.ZERO), ("1", Depth.ONE), (" Infinity ", Depth.INFINITY)],
)
def test_depth(value: str | None, depth: Depth) -> None:
    assert read_depth(value, Depth.ONE) is depth


@pytest.mark.parametrize("value", ["", "2", "-1", "infinite", "0, 1", "0" * 10_000])
def test_another_depth_is_none(value: str) -> None:
    with pytest.raises(FieldError):
        read_depth(value, Depth.ZERO)


def test_overwrite() -> None:
    assert read_overwrite(None) and read_overwrite("T") and not read_overwrite(" F")
    with pytest.raises(FieldError):
        read_overwrite("maybe")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("/dav/a%20b", "/dav/a b"),
        ("https://mail.example.test/dav/x?y#z", "/dav/x"),
        ("https://MAIL.example.test:8443/dav/", "/dav/"),
        ("http://mail.example.test", "/"),
        ("/dav/%ED%95%9C.ics", "/dav/한.ics"),
        ("/dav/100%25", "/dav/100%"),
        ("https://elsewhere.test/dav/", None),
        ("//elsewhere.test/dav/", None),
        ("dav/x", None),
        ("", None),
        ("/dav/../x", None),
        ("/dav/%2e%2e/x", None),
        ("/dav/%ff", None),
        ("/dav/a%0ab", None),
        ("https://mail.example.test\r\n/dav/", None),
        ("https://mail.example.test//dav/", None),
        ("https://[::1/x", None),
        ("ftp://mail.example.test/x", None),
        ("/" + "a" * 9000, None),
    ],
)
def test_a_url_of_this_host_is_its_path(value: str, path: str | None) -> None:
    assert read_url(value, "mail.example.test") == path


def test_without_a_host_any_will_do() -> None:
    assert read_url("https://elsewhere.test/x") == "/x"
    assert read_url("http://[::1]:80/x", "[::1]") == "/x"
    assert read_url("http://me@a.test/x", "a.test:443") == "/x"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 60),
        ("Second-120", 120),
        ("Infinite, Second-4100000000", 600),
        ("Second-4100000000", 600),
        ("Extend, second-0", 1),
        ("Second-99999999999", 60),
        ("Second-x", 60),
    ],
)
def test_timeout(value: str | None, seconds: int) -> None:
    assert read_timeout(value, 60, 600) == seconds


def test_lock_token() -> None:
    assert read_lock_token(" <urn:uuid:1> ") == "urn:uuid:1"
    for value in (None, "urn:uuid:1", "<>", "<no scheme>", "<a:b", "<" + "a:" + "b" * 600 + ">"):
        with pytest.raises(FieldError):
            read_lock_token(value)


@pytest.mark.parametrize(
    ("prefer", "brief", "preferences"),
    [
        (None, None, Preferences()),
        ("return=minimal", None, Preferences(is_minimal=True)),
        ('respond-async, Return="minimal"; x=y, depth-noroot', None, Preferences(True, False, True)),
        ("return=representation", "t", Preferences(True, True)),
        ("return=other", "f", Preferences()),
        (", ".join(["x"] * 40 + ["return=minimal"]), None, Preferences()),
    ],
)
def test_prefer(prefer: str | None, brief: str | None, preferences: Preferences) -> None:
    assert read_preferences(prefer, brief) == preferences
