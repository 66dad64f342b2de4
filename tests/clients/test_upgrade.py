"""Clear text behind STARTTLS is never obeyed (RFC 3207 section 4.2), for every protocol that can upgrade.

Two conversations that differ only in what was sent in clear text behind the upgrade command must be answered alike. That
the same words inside TLS are answered shows that the difference would be seen.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

import pytest

from tests.clients.people import HOST, SECONDS, trusting
from tests.organization import Organization

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Protocol:
    """What a client says: `before` it may upgrade, the `upgrade`, and `last`. `command` is one with an answer."""

    ports: tuple[int, ...]
    before: bytes
    upgrade: bytes
    command: bytes
    last: bytes


PROTOCOLS = {
    "smtp": Protocol((25, 587), b"EHLO x.test\r\n", b"STARTTLS\r\n", b"EHLO y.test\r\n", b"QUIT\r\n"),
    "imap": Protocol((143,), b"", b"a STARTTLS\r\n", b"i CAPABILITY\r\n", b"z LOGOUT\r\n"),
    "pop3": Protocol((110,), b"", b"STLS\r\n", b"CAPA\r\n", b"QUIT\r\n"),
}
DOORS = [(name, port) for name, protocol in PROTOCOLS.items() for port in protocol.ports]
GO_ON = re.compile(rb"(2\d\d|\* OK|\+OK|a OK) ")


def answer(connection: socket.socket) -> None:
    """Reads to the last line of a good answer. Byte by byte: what follows in clear text is not ours to take."""
    line = b""
    while not (line.endswith(b"\n") and GO_ON.match(line)):
        line = b"" if line.endswith(b"\n") else line
        byte = connection.recv(1)
        assert byte, line
        line += byte


def inside(organization: Organization, protocol: Protocol, port: int, behind: bytes, first: bytes = b"") -> bytes:
    """All that the server says inside TLS, when `behind` came in one segment with the upgrade command, in clear text, and
    `first` is what the client says first inside TLS."""
    with socket.create_connection((HOST, organization.port(port)), SECONDS) as clear:
        clear.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer(clear)
        if protocol.before:
            clear.sendall(protocol.before)
            answer(clear)
        clear.sendall(protocol.upgrade + behind)
        answer(clear)
        with trusting(organization).wrap_socket(clear, server_hostname=HOST) as sealed:
            sealed.sendall(first + protocol.last)
            said = b""
            while data := sealed.recv(65536):
                said += data
            return said


@pytest.mark.parametrize(("name", "port"), DOORS)
def test_clear_text_behind_the_upgrade_is_not_obeyed(organization: Organization, name: str, port: int) -> None:
    protocol = PROTOCOLS[name]
    plain = inside(organization, protocol, port, b"")
    assert plain and inside(organization, protocol, port, b"", first=protocol.command) != plain
    whole, many, begun = protocol.command, protocol.command * 50, protocol.command[:4]
    for behind in (whole, many, begun, b"\r\n", protocol.last):
        assert inside(organization, protocol, port, behind) == plain, behind
