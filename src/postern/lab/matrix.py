"""Which host may reach what on which path, by the table, and what to think of a knock that says otherwise.

Pure. A door is one port of one host; a row's doors are what its openings admit to it. Whether a host may pass is read from both
ends' openings: what the caller's firewall lets out and the callee's lets in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from postern.model.organization import Organization
from postern.paths.openings import Opening, openings
from postern.paths.places import standing
from postern.paths.row import Party, Path, Wire
from postern.paths.table import settle

UNPROBED = {
    "dhcp": "its ports are fixed at both ends, and an answer belongs to no request",
    "neighbour-discovery": "ICMP has no ports to knock at",
}
_OF_THE_MACHINE = (Party.ANY_SERVER, Party.TIME_SERVER, Party.NEIGHBOUR, Party.INTERNET)
"""Parties that may have nothing behind an open door: the machine's own services, and strangers."""


ANSWERING = frozenset({53, 88, 389})
"""UDP ports for which the prober has words that are answered. Behind others silence says nothing: whether such a knock was
dropped, the hosts' counters tell."""


class Knocked(StrEnum):
    """What came back (see `prober`)."""

    ANSWERED = "answered"
    REFUSED = "refused"
    SILENT = "silent"
    FORBIDDEN = "forbidden"

    @property
    def arrived(self) -> bool:
        return self in (Knocked.ANSWERED, Knocked.REFUSED)


@dataclass(frozen=True, slots=True, order=True)
class Door:
    host: str
    address: str
    wire: Wire
    port: int

    def __str__(self) -> str:
        return f"{self.host} {self.wire} {self.port}"


class State(StrEnum):
    """The first three are of rows that a host dialled in full (see `joining`); all others are what knocks show."""

    PROVEN = "proven"
    REFUSES = "open for another row; this row's authentication refuses"
    NO_DOOR = "opens no door to other hosts"
    PASSES = "passes"
    OPEN = "open, nothing listens"
    BLOCKED = "blocked"
    SHARED = "open for another row"
    AT_HOME = "within the host"
    FAILS = "fails"
    LEAKS = "leaks"
    UNKNOWN = "not probed"

    @property
    def wrong(self) -> bool:
        return self in (State.FAILS, State.LEAKS)


@dataclass(frozen=True, slots=True)
class Cell:
    """One host on one row. `because`: the doors that make it wrong, or the rows that open them for this host."""

    state: State
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostView:
    """A host as the table has it: what it lets in and out, and which TCP and UDP ports really are open on it."""

    name: str
    address: str
    allowed: tuple[Opening, ...]
    listening: frozenset[tuple[str, int]]

    def lets(self, inward: bool, peer: str, wire: Wire, port: int) -> tuple[str, ...]:
        """The rows on which it does, with this peer, for this port (the listener's)."""
        return tuple(
            dict.fromkeys(
                one.row
                for one in self.allowed
                if one.inward == inward and one.wire is wire and one.first <= port <= one.last and one.admits(peer)
            )
        )


def view(organization: Organization, name: str, address: str, listening: Collection[tuple[str, int]]) -> HostView:
    """`organization` as this host's firewall was made of it."""
    allowed = openings(organization, standing(organization, name), settle(organization.profile).values())
    return HostView(name, address, tuple(allowed), frozenset(listening))


class Matrix:
    """All rows that open a door on some host, against all hosts."""

    def __init__(self, views: Sequence[HostView], rows: Mapping[str, Path]) -> None:
        self.views = {one.name: one for one in views}
        self.rows = rows
        self.doors = {row: doors for row in rows if (doors := sorted(set(self._doors(row))))}

    def _doors(self, row: str) -> Iterator[Door]:
        for host in self.views.values():
            for one in host.allowed:
                if one.row == row and one.inward and one.remote != () and one.wire is not Wire.ICMP:
                    for port in _ports(one, host.listening):
                        yield Door(host.name, host.address, one.wire, port)

    def knocks(self, host: str, rows: Collection[str]) -> list[Door]:
        """Every door of these rows that is to be tried from this host."""
        wanted = {door for row in rows if row not in UNPROBED for door in self.doors[row]}
        return sorted(door for door in wanted if door.host != host)

    def passes(self, host: str, door: Door) -> bool:
        """Whether both firewalls let this host through."""
        caller, callee = self.views[host], self.views[door.host]
        out = caller.lets(False, callee.address, door.wire, door.port)
        return bool(out) and bool(callee.lets(True, caller.address, door.wire, door.port))

    def drops(self, host: str, door: Door) -> str:
        """The host whose firewall drops this host's knock; "" if none does."""
        caller, callee = self.views[host], self.views[door.host]
        if not caller.lets(False, callee.address, door.wire, door.port):
            return host
        return "" if callee.lets(True, caller.address, door.wire, door.port) else door.host

    def cell(self, row: str, host: str, knocked: Mapping[Door, Knocked]) -> Cell:
        """What the knocks from this host say about this row."""
        if row in UNPROBED:
            return Cell(State.UNKNOWN, (UNPROBED[row],))
        doors = [door for door in self.doors[row] if door.host != host]
        if not doors:
            return Cell(State.AT_HOME)
        due = [door for door in doors if self._is_due(row, host, door)]
        other = [door for door in doors if door not in due]
        missing = [str(door) for door in due if not self._arrived(host, door, knocked)]
        if missing:
            return Cell(State.FAILS, tuple(f"{door} does not let it through" for door in missing))
        arrived = [door for door in other if self._arrived(host, door, knocked)]
        leaks = [str(door) for door in arrived if not self.passes(host, door)]
        if leaks:
            return Cell(State.LEAKS, tuple(leaks))
        shut = [str(door) for door in other if door not in arrived and self.passes(host, door)]
        if shut:
            return Cell(
                State.FAILS, tuple(f"{door} is open for another row, and lets nothing through" for door in shut)
            )
        if due:
            return self._due(row, [door for door in due if knocked[door] is Knocked.ANSWERED])
        if arrived:
            return Cell(State.SHARED, tuple(sorted({one for door in arrived for one in self._opens(host, door)})))
        return Cell(State.BLOCKED)

    def _arrived(self, host: str, door: Door, knocked: Mapping[Door, Knocked]) -> bool:
        if knocked[door] is Knocked.SILENT and door.wire is Wire.UDP and door.port not in ANSWERING:
            return self.passes(host, door)
        return knocked[door].arrived

    def _due(self, row: str, answered: Sequence[Door]) -> Cell:
        if answered:
            return Cell(State.PASSES)
        if self.rows[row].callee in _OF_THE_MACHINE:
            return Cell(State.OPEN)
        return Cell(State.FAILS, ("the firewalls let it through, but nothing answers",))

    def _is_due(self, row: str, host: str, door: Door) -> bool:
        caller, callee = self.views[host], self.views[door.host]
        out = caller.lets(False, callee.address, door.wire, door.port)
        return row in out and row in callee.lets(True, caller.address, door.wire, door.port)

    def _opens(self, host: str, door: Door) -> Iterable[str]:
        return self.views[door.host].lets(True, self.views[host].address, door.wire, door.port)


def _ports(opening: Opening, listening: Collection[tuple[str, int]]) -> list[int]:
    """The ports to knock at: in a range, those that something listens on (the first, if nothing does)."""
    if opening.first == opening.last:
        return [opening.first]
    live = sorted(port for wire, port in listening if wire == opening.wire and opening.first <= port <= opening.last)
    return live or [opening.first]
