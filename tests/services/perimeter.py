"""A hub and an edge that know each other's certificates, and strangers: doors on free ports, and the senders that dial them."""

from __future__ import annotations

import shutil
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from postern.model.directory import TrustedCertificate
from postern.model.mail import HopKind, NextHop, Parcel, RecipientOutcome
from postern.model.organization import AcceptedDomain, Organization, Role, Server
from postern.net.door import Door
from postern.net.mutual import MutualContext
from postern.net.tls import Certificate
from postern.paths.guard import Guard
from postern.services.smtp.receive import ReceiveConversation
from postern.services.smtp.receive_connector import (
    Agents,
    CallerProofs,
    ConnectorPolicy,
    ConnectorStores,
    ReceiveConnector,
)
from postern.services.smtp.send import Initiator, SenderProofs, SmtpSender
from postern.telemetry.observed import Observed
from postern.telemetry.tracking import Tracker
from postern.trust.certificates.authorities import Authorities
from postern.trust.certificates.direct_trust import DirectTrust
from postern.trust.certificates.owners import PeerCertificates
from tests.certificates import Made, authority, make
from tests.services.smtp.test_send import ROWS, SHORT, Names
from tests.services.smtp_doors import DOMAINS, SmtpDoors
from tests.support.ports import free_port

EDGE_25 = ("edge-to-edge", "hub-to-edge")
HUB_25 = ("edge-to-hub", "hub-to-hub", "um-to-hub", "client-to-hub-smtp")
TO_EDGE = NextHop(HopKind.EDGE, ("edge1",), "hub-to-edge")
TO_HUB = NextHop(HopKind.HUB, ("hub1",), "edge-to-hub")


class Directory:
    """What the directory has of the servers at the other end."""

    def __init__(self) -> None:
        self.entries: list[TrustedCertificate] = []

    async def trusted_certificates(self) -> tuple[TrustedCertificate, ...]:
        return tuple(self.entries)


class Perimeter:
    """`edge_port` and `hub_port` are open after `start`; `of_edges` is what hubs read, `of_hubs` what the edge reads; `root` is
    an authority that the edge believes."""

    def __init__(self, agents: Agents | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="per-", dir="/tmp"))
        self.root = authority("Root of the internet")
        self.hub = make("hub1.example.test")
        self.edge = make("edge1.example.test", authority("Anybody"))
        self.of_edges, self.of_hubs = Directory(), Directory()
        self.of_edges.entries.append(TrustedCertificate("edge1", "edge1.example.test", Role.EDGE, self.edge.der))
        self.of_hubs.entries.append(TrustedCertificate("hub1", "hub1.example.test", Role.HUB, self.hub.der))
        self.hubs_trust = DirectTrust(self.of_edges, Role.EDGE)
        self.edges_trust = DirectTrust(self.of_hubs, Role.HUB)
        self.by_hub = PeerCertificates(self.hubs_trust)
        self.by_edge = PeerCertificates(self.edges_trust, Authorities(self.files(self.root).chain))
        self.inner = SmtpDoors()
        self.outer = SmtpDoors()
        self.agents = agents
        self._doors: list[Door] = []

    def files(self, made: Made) -> Certificate:
        return made.write(self.folder)

    async def start(self) -> None:
        await self.refresh()
        await self.inner.authenticator.refresh()
        inner, outer = self.inner.connector([ROWS[name] for name in HUB_25]), self._edge_connector()
        inner.proofs = replace(inner.proofs, certificates=self.by_hub)
        self.hub_port = await self.open(inner, self.hub)
        self.edge_port = await self.open(outer, self.edge)

    async def refresh(self) -> None:
        await self.hubs_trust.refresh()
        await self.edges_trust.refresh()

    def _edge_connector(self) -> ReceiveConnector:
        return ReceiveConnector(
            Guard([ROWS[name] for name in EDGE_25], frozenset()),
            "edge1.example.test",
            ConnectorPolicy(DOMAINS, self.outer.limits),
            ConnectorStores(self.outer.queue, self.folder, self.outer.observed, Tracker(None, "test")),
            CallerProofs(certificates=self.by_edge),
            agents=self.agents,
        )

    async def open(self, connector: ReceiveConnector, shown: Made) -> int:
        tls = MutualContext(self.files(shown), server=True)
        rows = connector.guard.rows
        door = Door(rows, rows[0].port(25), lambda: ReceiveConversation(connector), tls)
        real = free_port()
        await door.open("127.0.0.1", real)
        self._doors.append(door)
        return real

    def sender(
        self,
        port: int,
        made: Made | None,
        certificates: PeerCertificates | None,
        names: Names | None = None,
        initiator: Initiator | None = None,
    ) -> SmtpSender:
        """One that finds every server of ours on 127.0.0.1 at `port`."""
        servers = tuple(
            Server(name, f"{name}.example.test", frozenset({Role.EDGE if name[0] == "e" else Role.HUB}), addresses)
            for name, addresses in (
                ("hub1", ("127.0.0.1",)),
                ("edge1", ("127.0.0.1",)),
                ("edge2", ("127.0.0.9",)),
                ("edge3", ("127.0.0.1",)),
                ("hub2", ("127.0.0.9",)),
            )
        )
        organization = Organization("test", (AcceptedDomain("example.test"),), servers, offset=port - 25)
        return SmtpSender(
            ROWS,
            organization,
            names or Names(),
            Observed(None),
            SenderProofs("localhost", self.files(made) if made else None, initiator, certificates),
            SHORT,
            port,
        )

    async def from_hub(self, *parcels: Parcel, made: Made | None = None) -> Sequence[Sequence[RecipientOutcome]]:
        """hub-to-edge, showing the hub's certificate or another."""
        return await self.sender(self.edge_port, made or self.hub, self.by_hub).carry(TO_EDGE, parcels)

    async def from_edge(self, *parcels: Parcel, made: Made | None = None) -> Sequence[Sequence[RecipientOutcome]]:
        return await self.sender(self.hub_port, made or self.edge, self.by_edge).carry(TO_HUB, parcels)

    def client_tls(self, made: Made | None = None) -> ssl.SSLContext:
        """A stranger's: believes everybody, shows `made`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if made is not None:
            files = self.files(made)
            context.load_cert_chain(files.chain, files.key)
        return context

    async def close(self) -> None:
        for door in self._doors:
            await door.close(0.5)
        await self.inner.close()
        await self.outer.close()
        shutil.rmtree(self.folder, ignore_errors=True)
