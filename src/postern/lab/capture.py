"""Captures the packets of one path into a pcap file. tcpdump runs on each host at the path's end, with a filter made of the row's
openings.

The hosts' files are joined into one, in the order of time. Each packet is in it once, for only one end of a connection listens.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from postern.lab.folder import Folder
from postern.lab.namespaces import Namespaces
from postern.lab.network import INTERFACE
from postern.lab.plan import LabError, Machine, machine
from postern.model.organization import Organization
from postern.paths.openings import Opening, openings
from postern.paths.places import standings
from postern.paths.row import Wire
from postern.paths.table import TABLE, no_row, settle

_HEADER = struct.Struct("=IHHiIII")
_RECORD = struct.Struct("=IIII")
_MAGICS = (0xA1B2C3D4, 0xA1B23C4D)


@dataclass(frozen=True, slots=True)
class Tap:
    """The host and interface that see a part of a path, and the filter for its packets (pcap-filter(7))."""

    host: str
    interface: str
    filter: str


def taps(organization: Organization, row: str, machines: Iterable[Machine]) -> list[Tap]:
    """A tap for each host that opens a port for this row. Raises LabError if there is no such row, or if it opens no port."""
    if row not in TABLE:
        raise LabError(no_row(row))
    settled = [settle(organization.profile)[row]]
    present = {host.name for host in machines}
    tapped = []
    for party in standings(organization):
        if party.name not in present:
            continue
        inward = [opening for opening in openings(organization, party, settled) if opening.inward]
        away = [opening for opening in inward if opening.remote != ()]
        if away:
            tapped.append(Tap(party.name, INTERFACE, filter_of(away, machine(party.name).address)))
        elif inward:
            tapped.append(Tap(party.name, "lo", filter_of(inward, "")))
    if not tapped:
        raise LabError(
            f"the lab's organization opens no port for {row}; `postern paths show {row}` says what it waits for"
        )
    return tapped


def filter_of(inward: Sequence[Opening], address: str) -> str:
    """A filter for both directions of every connection that these openings admit to the host with this address; "" means any."""
    return " or ".join(dict.fromkeys(_term(opening, address) for opening in inward))


def _term(opening: Opening, address: str) -> str:
    if opening.wire is Wire.ICMP:
        return "(icmp or icmp6)"
    ports = str(opening.first) if opening.first == opening.last else f"{opening.first}-{opening.last}"
    kind = "port" if opening.first == opening.last else "portrange"
    wire = opening.wire.lower()
    # In pcap-filter(7) "and" binds no tighter than "or".
    there, back = (f"({wire} {way} {kind} {ports})" for way in ("dst", "src"))
    if address:
        there, back = f"({there} and dst host {address})", f"({back} and src host {address})"
    return f"(({there} or {back}){_peers(opening.remote)})"


def _peers(remote: tuple[str, ...] | None) -> str:
    if not remote:
        return ""
    return " and (" + " or ".join(f"net {peer}" if "/" in peer else f"host {peer}" for peer in remote) + ")"


def until_told(seconds: float | None, ready: Callable[[], None]) -> None:
    """Waits for SIGINT, for SIGTERM, or until the seconds are over. `ready` is called as soon as a signal would be noticed.

    It notices SIGINT also where that signal is ignored. A shell without job control starts background processes so, and Python
    leaves the signal ignored; then nothing could end the capture and still get its packets.
    """
    ends = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        ready()
        if seconds is None:
            signal.sigwait(ends)
        else:
            signal.sigtimedwait(ends, seconds)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def capture(folder: Folder, where: Sequence[Tap], output: Path, wait: Callable[[], None]) -> int:
    """Writes the packets that are seen until `wait` returns into `output`. Returns their number. Raises LabError."""
    namespaces = Namespaces(folder.root)
    files = [folder.root / f"capture-{os.getpid()}-{number}.pcap" for number in range(len(where))]
    running: list[subprocess.Popen[str]] = []
    try:
        for tap, file in zip(where, files, strict=True):
            running.append(_start(namespaces, tap, file))
        wait()
        for process in running:
            _stop(process)
        running.clear()
        records = sorted(record for file in files for record in _records(file.read_bytes()))
        with open(output, "wb") as out:
            out.write(files[0].read_bytes()[: _HEADER.size])
            out.writelines(packet for _, _, packet in records)
        return len(records)
    finally:
        for process in running:
            _stop(process)
        for file in files:
            file.unlink(missing_ok=True)


# tcpdump ends when its standard input does, and so with this process, however that ends.
_LISTEN = 'tcpdump "$@" & child=$!; read -r word; kill -TERM $child; wait $child'


def _start(namespaces: Namespaces, tap: Tap, file: Path) -> subprocess.Popen[str]:
    """Starts tcpdump, and returns once it listens."""
    command = [
        "--immediate-mode",
        "-Z",
        "root",
        "-i",
        tap.interface,
        "-s",
        "0",
        "-U",
        "-n",
        "-w",
        str(file),
        "--",
        tap.filter,
    ]
    started = subprocess.Popen(  # noqa: S603 (the lab's own commands, their words as arguments)
        [*namespaces.prefix(tap.host), "sh", "-c", _LISTEN, "sh", *command],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which then ends it
    )
    assert started.stderr is not None
    lines = []
    for line in started.stderr:
        lines.append(line.strip())
        if "listening on" in line:
            return started
        if "error" in line:
            break
    _stop(started)
    raise LabError(f"{tap.host}: tcpdump: {' '.join(lines)}")


def _stop(started: subprocess.Popen[str]) -> None:
    """Ends tcpdump by closing its input, and returns when it has written everything. Kills it if that takes too long."""
    try:
        started.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.communicate()


def _records(data: bytes) -> list[tuple[int, int, bytes]]:
    """The packets of a pcap file that this machine wrote: seconds, parts of a second, and the record with its header."""
    if len(data) < _HEADER.size or _HEADER.unpack_from(data)[0] not in _MAGICS:
        raise LabError("tcpdump wrote no pcap file")
    records, at = [], _HEADER.size
    while at + _RECORD.size <= len(data):
        seconds, parts, length, _ = _RECORD.unpack_from(data, at)
        end = at + _RECORD.size + length
        records.append((seconds, parts, data[at:end]))
        at = end
    return records
