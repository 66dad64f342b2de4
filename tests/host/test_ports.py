"""Ports that are taken, too low, or the kernel's to lend."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.host import configuration, ports
from postern.host.schema import MAX_OFFSET
from postern.model.organization import Organization, Role, Server
from tests.support.ports import free_offset

BASE = configuration.parse(configuration.DEFAULT.format(offset=0))


def shifted(offset: int) -> Organization:
    return dataclasses.replace(BASE, offset=offset, rpc_ports=(20000 + offset, 20019 + offset))


@contextlib.contextmanager
def taken(host: str = "127.0.0.1") -> Iterator[int]:
    """An offset at which somebody, sharing the port as our workers do, listens where IMAP4 would."""
    offset = free_offset()
    with contextlib.closing(socket.socket()) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((host, offset + 143))
        holder.listen()
        yield offset


def test_needs_are_the_tables() -> None:
    found = {need.port: need.rows for need in ports.needs(shifted(10000), BASE.servers[0])}
    assert {10025, 10587, 10465, 10143, 10993, 10110, 10995, 10135, 30000, 30019} <= set(found)
    assert "imap4" in found[10143]
    assert "internet-to-hub" in found[10025]
    assert "caldav" in found[10443] and "owa" not in found[10443], "a row that is not built opens nothing"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_named_with_its_row_and_the_way_out(host: str) -> None:
    with taken(host) as offset:
        with pytest.raises(ports.PortError) as raised:
            ports.check(shifted(offset), BASE.servers[0])
        words = str(raised.value)
        assert words.startswith(f"port {offset + 143} (imap4) on {host} is taken by process {os.getpid()} (")
        way_out = int(words.rpartition("--offset ")[2])
        assert way_out != offset
        ports.check(shifted(way_out), BASE.servers[0])


def test_another_address_of_this_machine_is_no_conflict() -> None:
    with taken("127.0.0.2") as offset:
        ports.check(shifted(offset), BASE.servers[0])


def test_an_address_that_this_host_does_not_have_is_found() -> None:
    def server(*addresses: str) -> Server:
        return dataclasses.replace(BASE.servers[0], addresses=addresses)

    assert ports.foreign(server("127.0.0.1", "127.0.0.9", "::1", "0.0.0.0", "::")) is None
    assert ports.foreign(server("127.0.0.1", "192.0.2.77")) == "192.0.2.77"
    assert ports.foreign(server("2001:db8::77")) == "2001:db8::77"


def test_low_ports_need_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "ip_unprivileged_port_start").write_text("1024\n")
    monkeypatch.setattr(ports, "_SETTINGS", tmp_path)
    with pytest.raises(ports.PortError, match=r"port 25 .* needs root: .* --offset 10000"):
        ports.check(BASE, BASE.servers[0])


def test_ports_in_the_ephemeral_range_are_reserved_beside_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reserved = tmp_path / "reserved"
    reserved.write_text("40000-40001,33005\n")
    monkeypatch.setattr(ports, "_RESERVED", reserved)
    organization = dataclasses.replace(shifted(10000), rpc_ports=(33004, 33006))
    said = ports.reserve(organization, BASE.servers[0], set())[0]
    assert len(said) == 1
    assert "33004,33006" in said[0]
    assert reserved.read_text() == "40000-40001,33005,33004,33006\n"
    assert ports.reserve(organization, BASE.servers[0], set())[0] == [], "once is enough"


def test_where_they_cannot_be_reserved_the_way_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Closed(type(tmp_path)):
        def write_text(self, *args: object, **kwargs: object) -> int:
            raise PermissionError

    closed = Closed(tmp_path / "reserved")
    (tmp_path / "reserved").write_text("\n")
    monkeypatch.setattr(ports, "_RESERVED", closed)
    organization = dataclasses.replace(shifted(10000), rpc_ports=(33004, 33004))
    assert "sysctl net.ipv4.ip_local_reserved_ports=33004" in ports.reserve(organization, BASE.servers[0], set())[0][0]


def test_what_is_needed_no_more_is_given_back_and_others_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reserved = tmp_path / "reserved"
    reserved.write_text("40000-40001,33005\n")
    monkeypatch.setattr(ports, "_RESERVED", reserved)

    def start(first: int, last: int) -> list[str]:
        organization = dataclasses.replace(shifted(10000), rpc_ports=(first, last))
        words, ours = ports.reserve(organization, BASE.servers[0], ports.noted(tmp_path))
        ports.note(tmp_path, ours)
        return words

    start(33004, 33006)
    start(33006, 33007)
    assert reserved.read_text() == "40000-40001,33005,33006,33007\n"
    assert start(30000, 30019) == []
    assert reserved.read_text() == "40000-40001,33005\n", "what was there before is not ours"
    reserved.write_text("33004-33006\n")
    ports.note(tmp_path, {33005})
    start(30000, 30019)
    assert reserved.read_text() == "33004,33006\n", "the kernel joins neighbours to ranges"


@pytest.mark.parametrize(
    "noted",
    [
        b"0-99999999999\n", b"1,65536\n", b"-1\n", b"1,x\n", b"\xff\n", b"",
        ",".join(map(str, range(ports.MAX_NOTED + 1))).encode(), b"1," * 40_000 + b"1",
    ],
)  # fmt: skip
def test_a_note_that_we_would_not_write_says_nothing(noted: bytes, tmp_path: Path) -> None:
    """Root reads the note, and the folder belongs to an account with fewer rights."""
    (tmp_path / ports.NOTE).write_bytes(noted)
    assert ports.noted(tmp_path) == set()


def test_a_note_is_no_link_and_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("5000\n")
    note = tmp_path / ports.NOTE
    note.symlink_to(tmp_path / "elsewhere")
    assert ports.noted(tmp_path) == set()
    note.unlink()
    os.mkfifo(note)
    assert ports.noted(tmp_path) == set(), "and nobody waits for its other end"
    note.unlink()
    ports.note(tmp_path, {5000, 65535})
    assert ports.noted(tmp_path) == {5000, 65535}


def test_ports_below_the_range_need_nothing() -> None:
    assert ports.reserve(shifted(10000), BASE.servers[0], set()) == ([], set())


def test_no_two_offsets_in_thousands_meet() -> None:
    """An edge's doors too, which are far above the others."""
    edge = dataclasses.replace(BASE.servers[0], roles=frozenset({Role.EDGE}))
    seen: dict[int, int] = {}
    for offset in range(0, 15000, 1000):
        organization = configuration.parse(configuration.DEFAULT.format(offset=offset))
        for server in (BASE.servers[0], edge):
            for need in ports.needs(organization, server):
                assert seen.setdefault(need.port, offset) == offset, need


def test_no_rpc_port_of_any_offset_is_a_door_of_another() -> None:
    doors = {need.port for need in ports.needs(BASE, BASE.servers[0]) if need.port < BASE.rpc_ports[0]}
    ranges = [configuration.rpc_ports(offset) for offset in range(MAX_OFFSET + 1)]
    assert max(doors) + MAX_OFFSET < min(first for first, _ in ranges)
    firsts = [first for first, _ in ranges]
    assert len(set(firsts)) == len(firsts), "and ranges meet only where doors do: less than twenty apart"
    assert max(firsts[12749:]) + 19 < min(firsts[:12749])


def test_the_way_out_is_what_the_user_can_type() -> None:
    with taken() as offset, pytest.raises(ports.PortError, match=r"shift all ports: make run PORTS=\d+$"):
        ports.check(shifted(offset), BASE.servers[0], "make run PORTS={}")
