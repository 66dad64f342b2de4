"""The field If: the examples of RFC 4918 section 10.4, and what cannot be read."""

from __future__ import annotations

import pytest

from postern.protocols.dav.conditions import Condition, ConditionList, IfHeader, read_if
from postern.protocols.dav.fields import FieldError

LOCK, OTHER = "urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2", "urn:uuid:58f202ac-22cf-11d1-b12d-002035b29092"


def test_lists_without_a_resource_are_about_the_request() -> None:
    header = read_if(
        f'(<{LOCK}> ["I am an ETag"]) (["I am another ETag"])'.replace("I am an ", "").replace(
            "I am another ", "another-"
        )
    )
    assert header.lists == (
        ConditionList("", (Condition(token=LOCK), Condition(tag='"ETag"'))),
        ConditionList("", (Condition(tag='"another-ETag"'),)),
    )
    assert header.tokens == {LOCK} and header.paths == []


def test_not() -> None:
    header = read_if(f"(Not <{LOCK}> <{OTHER}>)")
    assert header.holds(lambda path: ("", [OTHER]))
    assert not header.holds(lambda path: ("", [OTHER, LOCK]))
    assert not header.holds(lambda path: ("", []))


def test_a_condition_that_always_holds() -> None:
    header = read_if(f"(<{LOCK}>) (Not <DAV:no-lock>)")
    assert header.holds(lambda path: ("", []))
    assert header.tokens == {LOCK, "DAV:no-lock"}


def test_lists_about_resources() -> None:
    header = read_if(f'<https://a.test/dav/x> (<{LOCK}> [W/"A"]) (["B"]) </dav/y%20z> (["C"])', "a.test")
    assert header.paths == ["/dav/x", "/dav/y z"]
    assert header.holds(lambda path: ('"C"', []) if path == "/dav/y z" else ("", []))
    assert header.holds(lambda path: ('"B"', []) if path == "/dav/x" else ("", []))
    assert not header.holds(lambda path: ('"B"', []) if path == "/dav/y z" else ("", []))
    assert header.holds(lambda path: ('W/"A"', [LOCK]) if path == "/dav/x" else ("", []))


def test_a_resource_elsewhere_has_no_state_here() -> None:
    header = read_if(f"<https://b.test/dav/x> (<{LOCK}>)", "a.test")
    assert header.paths == ["//https://b.test/dav/x"]


def test_without_the_field_all_is_well() -> None:
    assert read_if(None) == IfHeader() and IfHeader().holds(lambda path: ("", []))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "()",
        "(",
        "(<a:b>",
        "(<a:b>) x",
        "<a:b>",
        "<a:b> <c:d> (<e:f>)",
        "(Not)",
        "([x])",
        '(["a)',
        "(a)",
        "(<a:b>)" * 65,
        "(<a:b>)" + " " * 9000,
    ],
)
def test_what_cannot_be_read(value: str) -> None:
    with pytest.raises(FieldError):
        read_if(value)
