"""Decides, by the table, which host may reach which doors on which path, and compares the knocks with that.

Pure. A door is one port of one host; the doors of a row are the ports that its openings admit to. A host may pass if the openings
of both ends let it: the caller's firewall must let the packet out, and the callee's must let it in.
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
"""Parties that need not listen behind an open door: the machine's own services, and strangers."""


ANSWERING = frozenset({53, 88, 389})
"""UDP ports for which the prober has a request that is answered. Silence at other UDP ports means nothing; the hosts' counters
tell whether such a knock was dropped."""


class Knocked(StrEnum):
    """The result of a knock (see `prober`)."""

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
    """The state of a row on a host. `joining` sets the first three, for rows that a host dialled in full; the others follow from
    knocks."""

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
    """The state of one host on one row. `because` has the doors that make it wrong, or the rows that open them for this host."""

    state: State
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostView:
    """A host: the openings that the table gives it, in and out, and the TCP and UDP ports that are really open on it."""

    name: str
    address: str
    allowed: tuple[Opening, ...]
    listening: frozenset[tuple[str, int]]

    def lets(self, inward: bool, peer: str, wire: Wire, port: int) -> tuple[str, ...]:
        """The rows on which this host lets packets in (or out) from this peer (or to it), to the listening port `port`."""
        return tuple(
            dict.fromkeys(
                opening.row
                for opening in self.allowed
                if opening.inward == inward
                and opening.wire is wire
                and opening.first <= port <= opening.last
                and opening.admits(peer)
            )
        )


def view(organization: Organization, name: str, address: str, listening: Collection[tuple[str, int]]) -> HostView:
    """The view of a host. `organization` is the one that its firewall was made of."""
    allowed = openings(organization, standing(organization, name), settle(organization.profile).values())
    return HostView(name, address, tuple(allowed), frozenset(listening))


class Matrix:
    """The matrix of all hosts and of all rows that open a door on some host."""

    def __init__(self, views: Sequence[HostView], rows: Mapping[str, Path]) -> None:
        self.views = {host.name: host for host in views}
        self.rows = rows
        self.doors = {row: doors for row in rows if (doors := sorted(set(self._doors(row))))}

    def _doors(self, row: str) -> Iterator[Door]:
        for host in self.views.values():
            for opening in host.allowed:
                if opening.row == row and opening.inward and opening.remote != () and opening.wire is not Wire.ICMP:
                    for port in _ports(opening, host.listening):
                        yield Door(host.name, host.address, opening.wire, port)

    def knocks(self, host: str, rows: Collection[str]) -> list[Door]:
        """Every door of these rows that must be tried from this host."""
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
        """The cell of this row that follows from the knocks of this host."""
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
            return Cell(
                State.SHARED,
                tuple(sorted({opening_row for door in arrived for opening_row in self._opens(host, door)})),
            )
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
    """The ports to knock at: in a range, those that a process listens on, or the first if none does."""
    if opening.first == opening.last:
        return [opening.first]
    live = sorted(port for wire, port in listening if wire == opening.wire and opening.first <= port <= opening.last)
    return live or [opening.first]
