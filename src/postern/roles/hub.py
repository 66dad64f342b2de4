"""The hub transport role: mail comes in by SMTP or from an outbox, waits in the queue, leaves for mailboxes and the internet."""

from __future__ import annotations

from postern.model.organization import Role
from postern.roles.carriers import Carriers
from postern.roles.doors import Doors
from postern.roles.receive_connectors import ReceiveConnectors
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.mailbox.outbox import OutboxTaker
from postern.services.mailbox.submission import SubmissionService
from postern.transport.adoption import Adopter, open_own
from postern.transport.control import Control
from postern.transport.dispatcher import Dispatcher
from postern.transport.queue import Queue


class Hub:
    """A hub transport process. It serves from `start` until `stop` returns."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.logon = ServerLogon(runtime, Role.HUB)
        self.doors = Doors(runtime)
        self.rpc = self.logon.rpc
        self.carriers = Carriers(runtime, self.logon)

    async def start(self) -> None:
        runtime, logon = self.runtime, self.logon
        await logon.start()
        await self.carriers.start()
        self.dispatcher = self._dispatch(open_own(runtime.state.queue, runtime.worker))
        await self.dispatcher.start()
        self.adopter = Adopter(runtime.state.queue, self._dispatch, own=self.dispatcher.queue)
        self.adopter.start()
        queue = self.dispatcher.queue
        self.taker = self._take_outboxes(queue)
        self.taker.start()
        accounts = {s.name: s.machine_account for s in runtime.organization.with_role(Role.MAILBOX)}
        submission = SubmissionService(runtime.rows["mailbox-to-hub-submission"], self.taker, accounts)
        await self.rpc.open(self.doors, Role.HUB, [submission])
        await ReceiveConnectors(runtime, logon, queue, self.carriers).open(self.doors)

    def _dispatch(self, queue: Queue) -> Dispatcher:
        runtime, control = self.runtime, Control(queue.folder, self.runtime.tracker)
        organization, name, directory = runtime.organization, runtime.server.name, self.logon.directory
        dispatcher = Dispatcher(queue, directory, self.carriers.by_kind, organization, name, runtime.tracker, control)
        dispatcher.when_stopped = runtime.feed.follow(dispatcher.reorganize)
        return dispatcher

    def _take_outboxes(self, queue: Queue) -> OutboxTaker:
        runtime, peer, directory = self.runtime, self.carriers.peers.get, self.logon.directory
        limits, fqdn, domain = runtime.organization.limits, runtime.server.fqdn, runtime.organization.default_domain
        taker = OutboxTaker(peer, directory, queue, runtime.tracker, limits, fqdn, domain)
        runtime.feed.follow(taker.reorganize)
        return taker

    async def stop(self) -> None:
        await self.doors.close()
        await self.taker.close()
        await self.adopter.stop()
        await self.dispatcher.stop()
        await self.dispatcher.queue.close()
        await self.carriers.stop()
        await self.logon.stop()


async def start(runtime: Runtime) -> Hub:
    hub = Hub(runtime)
    await hub.start()
    return hub
