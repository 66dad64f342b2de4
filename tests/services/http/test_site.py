"""The web space: which route answers for a path, however the path is spelt."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.paths.guard import Guard
from postern.services.http.site import Route, Site, path_of
from tests.services.http.doors import METHODS, ROW, hello

GUARD = Guard([ROW], frozenset())


def route(prefix: str, *hosts: str) -> Route:
    return Route(prefix, GUARD, hello, METHODS, hosts)


ROOT, DAV, DEEP, PAGE = (
    route("/"),
    route("/dav/"),
    route("/dav/calendars/alice/"),
    route("/autodiscover/autodiscover.xml"),
)
OWN, OWN_ROOT = route("/dav/", "cal.example.test"), route("/policy/", "mta-sts.example.test")
SITE = Site([DAV, ROOT, PAGE, DEEP, OWN, OWN_ROOT])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ROOT),
        ("/dav", DAV),
        ("/DAV/x", DAV),
        ("/davx", ROOT),
        ("/dav/calendars/bob/a/b/c", DAV),
        ("/dav/calendars/alice", DEEP),
        ("/Dav/Calendars/ALICE/a.ics", DEEP),
        ("/AutoDiscover/AutoDiscover.xml", PAGE),
        ("/autodiscover/autodiscover.xml/", ROOT),
        ("/autodiscover/", ROOT),
        ("/dav\u212a/", ROOT),
    ],
)
def test_the_longest_prefix_answers(path: str, expected: Route) -> None:
    assert SITE.route("mail.example.test", path) is expected
    assert SITE.route("", path) is expected


def test_a_route_of_a_host_comes_first_and_is_nowhere_else() -> None:
    assert SITE.route("cal.example.test", "/dav/calendars/alice/") is OWN
    assert SITE.route("cal.example.test", "/other") is ROOT
    without = Site([OWN_ROOT])
    assert without.route("mta-sts.example.test", "/policy/x") is OWN_ROOT
    assert without.route("mail.example.test", "/policy/x") is None and without.is_elsewhere("/policy/x")
    assert not without.is_elsewhere("/other")
    assert Site([]).route("a", "/") is None


@pytest.mark.parametrize("prefix", ["dav/", "/DAV/", "", "/a/../b/", "/a%2fb/"])
def test_a_prefix_that_no_path_has_is_no_route(prefix: str) -> None:
    with pytest.raises(ValueError):
        Site([route(prefix)])
    with pytest.raises(ValueError):
        Site([route("/a/"), route("/a/")])


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", "/"),
        (b"/a?b/../c", "/a"),
        (b"/a%20b/%C3%A4", "/a b/\u00e4"),
        (b"/a/./b/../c", "/a/c"),
        (b"/a/%2e%2E/c", "/c"),
        (b"/a/b/..", "/a/"),
        (b"/a/.", "/a/"),
        (b"/.well-known/caldav", "/.well-known/caldav"),
        (b"/a//b", "/a//b"),
        (b"/a%2fb", "/a/b"),
        (b"/100%25.ics", "/100%.ics"),
        (b"/20%252Fx.ics", "/20%2Fx.ics"),
        (b"/%zz", "/%zz"),
        (b"/..", None),
        (b"/a/../../b", None),
        (b"/%2e%2e/b", None),
        (b"/dav/%252e%252e/b", None),
        (b"/dav/..%252fb", None),
        (b"/dav/..%255cb", None),
        (b"/a%00", None),
        (b"/a%0d%0aX: y", None),
        (b"/%ff", None),
        (b"a", None),
        (b"", None),
    ],
)
def test_a_path_is_decoded_once_and_climbs_nowhere(target: bytes, path: str | None) -> None:
    assert path_of(target) == path


@given(
    st.lists(st.sampled_from([b"/", b"..", b".", b"%2e", b"%252e", b"%2f", b"%5c", b"dav", b"a", b"?"]), max_size=12)
)
def test_no_spelling_leaves_a_route(parts: list[bytes]) -> None:
    """Whatever an application does with the path that it is given, decoding it again too, it stays below its prefix."""
    path = path_of(b"/dav/" + b"".join(parts))
    if path is None:
        return
    assert path.startswith("/") and ".." not in path.split("/") and "." not in path.split("/")
    again: Any = path_of(path.replace("?", "%3f").encode())
    assert again is None or ".." not in again.split("/")
    route_of = SITE.route("", path)
    assert (route_of is DAV) == (path.lower().startswith("/dav/") or path.lower() == "/dav")
