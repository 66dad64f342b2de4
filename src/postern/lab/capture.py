"""The packets of one path, as a pcap file: tcpdump on each host that the path ends at, with a filter made of its row's openings.

The hosts' files are joined into one, in the order of time; what two hosts saw is in it once, for only one end is asked.
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
    """Where one host's part of a path can be seen, and which packets those are (pcap-filter(7))."""

    host: str
    interface: str
    filter: str


def taps(organization: Organization, row: str, machines: Iterable[Machine]) -> list[Tap]:
    """One for each host that opens a port for this row. Raises LabError for a row that is not there, or opens nothing."""
    if row not in TABLE:
        raise LabError(no_row(row))
    settled = [settle(organization.profile)[row]]
    present = {one.name for one in machines}
    found = []
    for who in standings(organization):
        if who.name not in present:
            continue
        inward = [one for one in openings(organization, who, settled) if one.inward]
        away = [one for one in inward if one.remote != ()]
        if away:
            found.append(Tap(who.name, INTERFACE, filter_of(away, machine(who.name).address)))
        elif inward:
            found.append(Tap(who.name, "lo", filter_of(inward, "")))
    if not found:
        raise LabError(
            f"the lab's organization opens no port for {row}; `postern paths show {row}` says what it waits for"
        )
    return found


def filter_of(inward: Sequence[Opening], address: str) -> str:
    """Both directions of every connection that these openings admit to the host with this address (any, if empty)."""
    return " or ".join(dict.fromkeys(_term(one, address) for one in inward))


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
    return " and (" + " or ".join(f"net {one}" if "/" in one else f"host {one}" for one in remote) + ")"


def until_told(seconds: float | None, ready: Callable[[], None]) -> None:
    """Returns at SIGINT, at SIGTERM or after so many seconds; `ready` is called once these signals are waited for.

    It also returns at a SIGINT that is ignored, as it is in what a shell without job control starts in the background: Python
    leaves such a signal ignored, and the capture could not be ended with its packets written.
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
    """Writes what is seen until `wait` returns into `output`; says how many packets. Raises LabError."""
    namespaces = Namespaces(folder.root)
    files = [folder.root / f"capture-{os.getpid()}-{number}.pcap" for number in range(len(where))]
    running: list[subprocess.Popen[str]] = []
    try:
        for tap, file in zip(where, files, strict=True):
            running.append(_start(namespaces, tap, file))
        wait()
        for one in running:
            _stop(one)
        running.clear()
        records = sorted(record for file in files for record in _records(file.read_bytes()))
        with open(output, "wb") as out:
            out.write(files[0].read_bytes()[: _HEADER.size])
            out.writelines(packet for _, _, packet in records)
        return len(records)
    finally:
        for one in running:
            _stop(one)
        for file in files:
            file.unlink(missing_ok=True)


# It ends when its standard input does: with us, however we end.
_LISTEN = 'tcpdump "$@" & child=$!; read -r word; kill -TERM $child; wait $child'


def _start(namespaces: Namespaces, tap: Tap, file: Path) -> subprocess.Popen[str]:
    """Returns once tcpdump listens."""
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
        start_new_session=True,  # Ctrl-C is for us, who then end it
    )
    assert started.stderr is not None
    said = []
    for line in started.stderr:
        said.append(line.strip())
        if "listening on" in line:
            return started
        if "error" in line:
            break
    _stop(started)
    raise LabError(f"{tap.host}: tcpdump: {' '.join(said)}")


def _stop(started: subprocess.Popen[str]) -> None:
    """Ends it by the end of its input, and returns when it has written everything. Kills it if that takes too long."""
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
    found, at = [], _HEADER.size
    while at + _RECORD.size <= len(data):
        seconds, parts, length, _ = _RECORD.unpack_from(data, at)
        end = at + _RECORD.size + length
        found.append((seconds, parts, data[at:end]))
        at = end
    return found
