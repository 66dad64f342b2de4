"""The edge transport role: mail between the internet and the hubs of one site, by way of its own queue. It is not in the domain,
and nobody logs on to it: it knows our servers by their certificates, and everybody else is a stranger.
"""

from __future__ import annotations

from functools import partial

from postern.model.mail import Carrier, HopKind
from postern.model.organization import Role
from postern.net.dns import Resolver
from postern.net.mutual import MutualContext
from postern.roles.doors import Doors
from postern.roles.edge_directory import EdgeDirectory
from postern.roles.runtime import Runtime
from postern.roles.transport_agents import TransportAgents
from postern.services.smtp.receive import ReceiveConversation
from postern.services.smtp.send import SenderProofs, SmtpSender
from postern.transport.adoption import Adopter, open_own
from postern.transport.control import Control
from postern.transport.dispatcher import Dispatcher
from postern.transport.queue import Queue

ON_25 = ("edge-to-edge", "hub-to-edge")


class Edge:
    """An edge transport process. It serves from `start` until `stop` returns."""

    def __init__(self, runtime: Runtime) -> None:
        organization, fqdn, rows = runtime.organization, runtime.server.fqdn, runtime.rows
        self.runtime = runtime
        self.doors = Doors(runtime)
        self.directory = EdgeDirectory(runtime)
        self.agents = TransportAgents(runtime, Role.EDGE, self.directory.directory)
        resolver = Resolver(rows["any-server-to-dns"], organization.dns_servers)
        proofs = SenderProofs(fqdn, self.directory.certificate, certificates=self.directory.certificates)
        self.sender = SmtpSender(rows, organization, resolver, runtime.observed, proofs)

    async def start(self) -> None:
        runtime, directory = self.runtime, self.directory
        await directory.start()
        runtime.feed.follow(self.sender.reorganize)
        self.dispatcher = self._dispatch(open_own(runtime.state.queue, runtime.worker))
        await self.dispatcher.start()
        self.adopter = Adopter(runtime.state.queue, self._dispatch, own=self.dispatcher.queue)
        self.adopter.start()
        connector = directory.connector(ON_25, self.dispatcher.queue, self.agents.pipeline)
        rows, tls = connector.guard.rows, MutualContext(directory.certificate, server=True)
        await self.doors.open(rows, rows[0].port(25), partial(ReceiveConversation, connector), tls)

    def _dispatch(self, queue: Queue) -> Dispatcher:
        runtime, control = self.runtime, Control(queue.folder, self.runtime.tracker)
        outward = self.agents.outward(self.sender)
        carriers: dict[HopKind, Carrier] = {
            HopKind.HUB: self.sender,
            HopKind.SMTP: outward,
            HopKind.SMART_HOST: outward,
        }
        organization, name = runtime.organization, runtime.server.name
        dispatcher = Dispatcher(queue, self.directory.directory, carriers, organization, name, runtime.tracker, control)
        dispatcher.when_stopped = runtime.feed.follow(dispatcher.reorganize)
        return dispatcher

    async def stop(self) -> None:
        await self.doors.close()
        await self.adopter.stop()
        await self.dispatcher.stop()
        await self.dispatcher.queue.close()
        self.agents.stop()
        await self.directory.stop()


async def start(runtime: Runtime) -> Edge:
    edge = Edge(runtime)
    await edge.start()
    return edge
