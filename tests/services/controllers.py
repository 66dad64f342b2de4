"""Domain controllers of the loopback, which answer CLDAP pings as they are told to; and a list in a name server's place."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from postern.model.organization import ActiveDirectory
from postern.net.dns import DnsError, Service
from postern.paths.row import Path, Port, Wire
from postern.paths.table import TABLE
from postern.protocols.ber import INTEGER, OCTETS, SEQUENCE, SET, element, take

DOMAIN = ActiveDirectory("corp.test", "CORP")


def _name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


@dataclass
class FakeController(asyncio.DatagramProtocol):
    fqdn: str
    site: str = "Branch"
    client_site: str = "Branch"
    flags: int = 0x3FD
    silent: bool = False
    asked: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.asked += 1
        self.heard.set()
        if self.silent:
            return
        number, _ = take(take(data, 0, SEQUENCE)[0], 0, INTEGER)
        names = (
            "corp.test",
            "corp.test",
            self.fqdn,
            "CORP",
            self.fqdn.partition(".")[0],
            "",
            self.site,
            self.client_site,
        )
        value = (23).to_bytes(4, "little") + self.flags.to_bytes(4, "little") + UUID(int=1).bytes_le
        value += b"".join(_name(name) for name in names)
        attribute = element(SEQUENCE, element(OCTETS, b"netlogon") + element(SET, element(OCTETS, value)))
        entry = element(0x64, element(OCTETS, b"") + element(SEQUENCE, attribute))
        self.transport.sendto(element(SEQUENCE, element(INTEGER, number) + entry), address)


class Names:
    """`net.dns.Resolver` as the topology uses it. `addresses` by name; `down` is a name server that says nothing."""

    row = TABLE["any-server-to-dns"]

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.by_name = dict(addresses)
        self.down = False
        self.asked: list[str] = []

    async def services(self, name: str) -> list[Service]:
        self.asked.append(name)
        if self.down:
            raise DnsError("4.4.3", "No answer from DNS")
        return [Service(0, 100, host, 389) for host in self.by_name] if name.startswith("_ldap._tcp.dc.") else []

    async def addresses(self, host: str) -> list[str]:
        if self.down:
            raise DnsError("4.4.3", "No answer from DNS")
        return [self.by_name[host]]


@asynccontextmanager
async def standing(*controllers: FakeController) -> AsyncIterator[tuple[Path, Names]]:
    """The controllers at 127.0.1.1 and so on, all on one free port; a row with that port, and DNS that knows them."""
    loop = asyncio.get_running_loop()
    transports: list[asyncio.BaseTransport] = []
    number = 0
    try:
        for i, controller in enumerate(controllers):
            transport, _ = await loop.create_datagram_endpoint(
                lambda one=controller: one, local_addr=(f"127.0.1.{i + 1}", number)
            )
            number = transport.get_extra_info("sockname")[1]
            transports.append(transport)
        row = dataclasses.replace(TABLE["hub-to-ad"], ports=(Port(number, Wire.UDP, label="ldap"),))
        yield row, Names({one.fqdn: f"127.0.1.{i + 1}" for i, one in enumerate(controllers)})
    finally:
        for transport in transports:
            transport.close()
