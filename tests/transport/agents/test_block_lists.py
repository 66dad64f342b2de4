"""DNS block lists: names of questions and what answers say (RFC 5782)."""

from __future__ import annotations

import ipaddress

import pytest

from postern.protocols.authentication.questions import UNKNOWN, Answer, Found
from postern.transport.agents.block_lists import (
    Provider,
    checked_provider,
    is_listed,
    must_not_be_listed,
    parse_provider,
    question,
    remembered_for,
)


def test_questions() -> None:
    provider = parse_provider("bl.test")
    assert question(provider, ipaddress.ip_address("192.0.2.99")).name == "99.2.0.192.bl.test"
    six = "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test"
    assert question(provider, ipaddress.ip_address("2001:db8::567:89ab")).name == six
    assert must_not_be_listed(provider).name == "1.0.0.127.bl.test"


@pytest.mark.parametrize(
    ("provider", "records", "listed"),
    [
        ("bl.test", ["127.0.0.2"], True),
        ("bl.test", ["127.0.0.9", "192.0.2.1"], True),
        ("bl.test", ["192.0.2.1"], False),
        ("bl.test", ["127.255.255.254"], False),
        ("bl.test", ["no address"], False),
        ("bl.test=127.0.0.2/127.0.0.4", ["127.0.0.4"], True),
        ("bl.test=127.0.0.2/127.0.0.4", ["127.0.0.3"], False),
        ("bl.test=&0.0.0.4", ["127.0.0.6"], True),
        ("bl.test=&0.0.0.4", ["127.0.0.2"], False),
        ("bl.test=&127.0.0.4", ["127.0.0.2"], False),
    ],
)
def test_answers(provider: str, records: list[str], listed: bool) -> None:
    assert is_listed(parse_provider(provider), Answer(Found.YES, tuple(records))) == listed


def test_no_answer_lists_nobody() -> None:
    assert not is_listed(Provider("bl.test"), UNKNOWN) and not is_listed(Provider("bl.test"), Answer(Found.NO_NAME))


@pytest.mark.parametrize(("ttl", "kept"), [(0.0, 60.0), (300.0, 300.0), (1e9, 3600.0)])
def test_how_long_a_verdict_is_kept(ttl: float, kept: float) -> None:
    assert remembered_for(Answer(Found.YES, ("127.0.0.2",), ttl)) == kept


@pytest.mark.parametrize(
    "text", ["", "localhost", "a b.test", "bl.test=", "bl.test=2", "bl.test=&x", "x" * 200 + ".test"]
)
def test_what_is_no_provider(text: str) -> None:
    with pytest.raises(ValueError):
        checked_provider(text)
