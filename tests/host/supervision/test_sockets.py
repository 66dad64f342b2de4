"""The kernel's tables, held against sockets that this test opens."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from postern.host.supervision import sockets


@contextlib.contextmanager
def listener(family: socket.AddressFamily, host: str) -> Iterator[socket.socket]:
    with socket.socket(family) as opened:
        opened.bind((host, 0))
        opened.listen()
        yield opened


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_listener_and_both_ends_of_a_connection_are_seen(family: socket.AddressFamily, host: str) -> None:
    with listener(family, host) as door:
        port = door.getsockname()[1]
        with socket.create_connection((host, port)) as dialled:
            accepted, _ = door.accept()
            with accepted:
                mine = sockets.of_processes([os.getpid()])[os.getpid()]
                seen = {(one.local, one.local_port, one.remote, one.remote_port) for one in mine if one.wire == "TCP"}
                near = dialled.getsockname()[1]
                assert {(host, port, "", 0), (host, near, host, port), (host, port, host, near)} <= seen
                assert [one.listening for one in mine if one.local_port == port and not one.remote] == [True]
    assert not [one for one in sockets.of_processes([os.getpid()])[os.getpid()] if one.local_port == port]


def test_datagram_sockets_are_seen() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound, socket.socket(type=socket.SOCK_DGRAM) as tied:
        bound.bind(("127.0.0.1", 0))
        tied.connect(bound.getsockname())
        mine = [one for one in sockets.of_processes([os.getpid()])[os.getpid()] if one.wire == "UDP"]
        port = bound.getsockname()[1]
        assert [one.remote for one in mine if one.local_port == port] == [""]
        assert [one.local_port for one in mine if one.remote_port == port] == [tied.getsockname()[1]]


def test_a_mapped_address_is_the_plain_one() -> None:
    with socket.socket(socket.AF_INET6) as door:
        door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        door.bind(("::", 0))
        door.listen()
        with socket.create_connection(("127.0.0.1", door.getsockname()[1])) as dialled:
            accepted, _ = door.accept()
            with accepted:
                mine = sockets.of_processes([os.getpid()])[os.getpid()]
                far = [one for one in mine if one.remote_port == dialled.getsockname()[1]]
                assert [(one.local, one.remote) for one in far] == [("127.0.0.1", "127.0.0.1")]


def test_who_holds_a_socket_is_named() -> None:
    with listener(socket.AF_INET, "127.0.0.1") as door:
        inode = os.fstat(door.fileno()).st_ino
        found = sockets.owner_of(inode)
        assert found is not None
        assert found[0] == os.getpid()


def test_grandchildren_count_as_the_child() -> None:
    number, number_to_us = os.pipe()
    leave, leave_to_it = os.pipe()
    child = os.fork()
    if child == 0:
        grandchild = os.fork()
        if grandchild == 0:
            os.read(leave, 1)
            os._exit(0)
        os.write(number_to_us, f"{grandchild}\n".encode())
        os.waitpid(grandchild, 0)
        os._exit(0)
    try:
        grandchild = int(os.read(number, 20))
        assert sockets.with_descendants({child: "slapd"}) == {child: "slapd", grandchild: "slapd"}
    finally:
        os.write(leave_to_it, b"x")
        os.waitpid(child, 0)
        for end in (number, number_to_us, leave, leave_to_it):
            os.close(end)


def test_a_process_that_is_gone_has_no_sockets() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert sockets.of_processes([child]) == {}


def test_words_name_both_ends() -> None:
    there = sockets.KernelSocket("TCP", "127.0.0.1", 5, "2001:db8::1", 25, 1)
    assert str(there) == "TCP 127.0.0.1:5 to [2001:db8::1]:25"
    assert str(sockets.KernelSocket("UDP", "::1", 53, "", 0, 1)) == "UDP [::1]:53 listening"
