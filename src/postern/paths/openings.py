"""What the table means for one host of an organization: which ports of its own others may reach, and which of others' it may
reach. The firewall is made of this, and a socket that the kernel shows is held against it.

Pure. Who plays a party, and where, is `places`' word. Ports of our own servers are shifted by the organization's offset, those
of others are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from postern.model.organization import Host, Organization
from postern.paths import places
from postern.paths.deployment import closed
from postern.paths.places import ANYONE, ROLES, Standing, plain
from postern.paths.row import End, Party, Path, Port, Wire

__all__ = ["ACTIVE_DIRECTORY_DYNAMIC", "ANYONE", "Opening", "openings", "plain"]

ACTIVE_DIRECTORY_DYNAMIC = (49152, 65535)
"""Windows' own RPC range (RFC 6335 section 6); ours is the organization's."""


@dataclass(frozen=True, slots=True)
class Opening:
    """One thing that row `row` allows this host: inward, `remote` may reach its ports `first` to `last`; outward, it may reach
    those of `remote`: addresses and networks, or ANYONE for every address. `at_home`: this host plays both ends, so it also
    holds within it."""

    row: str
    inward: bool
    wire: Wire
    first: int
    last: int
    remote: tuple[str, ...] | None
    at_home: bool

    def admits(self, address: str) -> bool:
        """Whether a peer at this plain address (`plain`) may be at the other end."""
        return self.remote is ANYONE or places.within(address, self.remote)


def openings(organization: Organization, who: Standing, rows: Iterable[Path]) -> list[Opening]:
    """All that these rows allow `who` over IP, in the rows' order. Unix sockets are no part of it."""
    return list(dict.fromkeys(_openings(organization, who, rows)))


def _openings(organization: Organization, who: Standing, rows: Iterable[Path]) -> Iterator[Opening]:
    for row in rows:
        if closed(organization, row):
            continue
        calls, answers = places.calls(organization, who, row), places.answers(organization, who, row)
        for port in row.ports:
            if port.wire is not Wire.UNIX:
                yield from _at(organization, who, row, port, calls, answers)


def _at(
    organization: Organization, who: Standing, row: Path, port: Port, calls: bool, answers: bool
) -> Iterator[Opening]:
    """A port in both directions: it listens at the callee, at the caller, or at both."""
    at_home = calls and answers
    callers, callee = row.caller, (row.callee,)
    # Inward or not, who listens, who is at the other end, and whether those others are the row's callers.
    ends: list[tuple[bool, tuple[Party, ...], tuple[Party, ...], bool]] = []
    if port.end is not End.CALLER:
        ends += [(True, callee, callers, True)] if answers else []
        ends += [(False, callee, callee, False)] if calls else []
    if port.end in (End.CALLER, End.BOTH):
        ends += [(True, callers, callee, False)] if calls else []
        ends += [(False, callers, callers, True)] if answers else []
    for inward, listeners, others, are_callers in dict.fromkeys(ends):
        remote = () if port.end is End.LOCAL else places.addresses(organization, who, row, others, are_callers)
        if remote == () and not at_home:
            continue
        for first, last in _numbers(organization, who, row, port, listeners[0]):
            yield Opening(row.id, inward, port.wire, first, last, remote, at_home)


def _numbers(
    organization: Organization, who: Standing, row: Path, port: Port, listener: Party
) -> Iterator[tuple[int, int]]:
    """The real numbers of a port that `listener` listens on, as ranges."""
    if port.wire is Wire.ICMP:
        yield 0, 0
    elif port.number is None:
        yield ACTIVE_DIRECTORY_DYNAMIC if listener is Party.ACTIVE_DIRECTORY else organization.rpc_ports
    elif listener in ROLES or (listener is Party.ANY_SERVER and not row.machine):
        yield organization.port(port.number), organization.port(port.number)
    elif named := places.named(organization, listener):
        numbers = {number for _, number in named}
        if any(listener.value in host.parties for host in organization.hosts):
            numbers.add(port.number)
        yield from sorted((number, number) for number in numbers)
    else:
        yield port.number, port.number
        if listener is Party.INTERNET and port.number == 25:
            yield from ((number, number) for number in _smart_host_ports(organization, who))


def _smart_host_ports(organization: Organization, who: Standing) -> list[int]:
    mine = (c for c in organization.send_connectors if c.server in ("", who.name) or isinstance(who, Host))
    return sorted({places.split(host, 25)[1] for connector in mine for host in connector.smart_hosts} - {25})
