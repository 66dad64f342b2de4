"""Allow and block lists of addresses and networks, with ends."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.transport.agents.connection_filter import (
    ConnectionFilter,
    ConnectionFilterSettings,
    Networks,
    Standing,
    checked_network,
    client_address,
)

NOW = 1_800_000_000.0  # 15 January 2027


def standing(address: str, allow: tuple[str, ...] = (), block: tuple[str, ...] = ()) -> Standing:
    return ConnectionFilter(ConnectionFilterSettings(allow, block)).standing(ipaddress.ip_address(address), NOW)


@pytest.mark.parametrize(
    ("address", "block", "blocked"),
    [
        ("192.0.2.7", ("192.0.2.7",), True),
        ("192.0.2.8", ("192.0.2.7",), False),
        ("192.0.2.200", ("192.0.2.0/24",), True),
        ("192.0.3.1", ("192.0.2.0/24",), False),
        ("2001:db8::1", ("2001:db8::/32",), True),
        ("2001:db9::1", ("2001:db8::/32",), False),
        ("203.0.113.1", ("0.0.0.0/0",), True),
        ("::1", ("0.0.0.0/0",), False),
        ("192.0.2.7", ("192.0.2.7 until 2027-01-16",), True),
        ("192.0.2.7", ("192.0.2.7 until 2027-01-15",), False),
        ("192.0.2.7", ("192.0.2.7 until 2020-01-01", "192.0.2.0/24"), True),
        ("192.0.2.7", ("192.0.2.7 until 2020-01-01", "192.0.2.7 until 2028-01-01"), True),
    ],
)
def test_block(address: str, block: tuple[str, ...], blocked: bool) -> None:
    assert standing(address, block=block) is (Standing.BLOCKED if blocked else Standing.UNKNOWN)


def test_the_allow_list_comes_first() -> None:
    assert standing("192.0.2.7", ("192.0.2.7",), ("0.0.0.0/0",)) is Standing.ALLOWED
    assert standing("192.0.2.8", ("192.0.2.7",), ("0.0.0.0/0",)) is Standing.BLOCKED


def test_items_are_kept_in_their_plainest_form() -> None:
    assert checked_network("192.0.2.99/24") == "192.0.2.0/24"
    assert checked_network(" 2001:DB8::0001 ") == "2001:db8::1"
    assert checked_network("192.0.2.1 until 2027-01-31") == "192.0.2.1 until 2027-01-31"


@pytest.mark.parametrize(
    ("host", "address"),
    [("::ffff:192.0.2.7", "192.0.2.7"), ("192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::1"), ("local", None)],
)
def test_a_client_is_one_address(host: str, address: str | None) -> None:
    found = client_address(host)
    assert (str(found) if found is not None else None) == address


@given(st.lists(st.ip_addresses(v=4), max_size=20), st.integers(0, 32), st.ip_addresses(v=4))
def test_the_lists_say_what_the_library_says(
    bases: list[ipaddress.IPv4Address], length: int, address: ipaddress.IPv4Address
) -> None:
    networks = [ipaddress.ip_network((base, length), strict=False) for base in bases]
    assert Networks(map(str, networks)).holds(address, NOW) == any(address in network for network in networks)


def test_bypass() -> None:
    agent = ConnectionFilter(ConnectionFilterSettings())
    assert agent.bypassed("Postmaster@example.test") and not agent.bypassed("alice@example.test")
