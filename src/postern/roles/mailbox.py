"""The mailbox role: mailboxes in PostgreSQL, reached by other servers over RPC alone, and their assistants."""

from __future__ import annotations

from postern.model.organization import Role
from postern.protocols.dcerpc.interfaces.availability import MAILBOX_AVAILABILITY
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.interfaces.mailbox_assistants import MAILBOX_ASSISTANTS
from postern.protocols.dcerpc.interfaces.mailbox_items import MAILBOX_ITEMS
from postern.roles.doors import Doors
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.access.sharing import Sharing
from postern.services.mailbox.assistants import assistants_of, waking
from postern.services.mailbox.availability import MailboxAvailability
from postern.services.mailbox.booking_policies import BookingPolicies
from postern.services.mailbox.housekeeping import Housekeeping
from postern.services.mailbox.submission import SubmissionNotifier, telling, telling_of_items
from postern.services.rpc.client import RpcClient
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.server import RpcService
from postern.store.database import MailboxDatabase


class Mailbox:
    """A mailbox process. It serves from `start` until `stop` returns."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.logon = ServerLogon(runtime, Role.MAILBOX)
        self.doors = Doors(runtime)
        self.rpc = self.logon.rpc

    async def start(self) -> None:
        await self.logon.start()
        # host.contradictions sees to it that a mailbox server has one database.
        (served,) = self.runtime.organization.databases_of(self.runtime.server)
        self.database = await MailboxDatabase.open(served.url, language=self.runtime.organization.language)
        runtime, rows = self.runtime, self.runtime.rows
        retention, first = runtime.organization.limits.mailbox_retention, runtime.worker == 0
        self.house = Housekeeping(self.database, self.logon.directory, runtime.observed, retention, maintains=first)
        await self.house.start()
        notify = rows["mailbox-to-hub-submission"]
        hubs = [
            RpcClient(MAIL_SUBMISSION, self.rpc.calls.target(notify, hub, Role.HUB), runtime.observed)
            for hub in runtime.organization.with_role(Role.HUB)
        ]
        self.notifier = SubmissionNotifier(runtime.server.name, hubs, self.database.waiting_mailboxes)
        self.notifier.start()
        mailboxes = telling(self.database, self.notifier.submitted)
        items = telling_of_items(self.database, self.notifier.submitted)
        directory, own_names = self.logon.directory, lambda: runtime.feed.current.own_names()
        acts_for = Sharing(directory, lambda database: None, lambda: ()).may_send_on_behalf
        policies = BookingPolicies(self.database).of
        self.assistants = assistants_of(self.database, mailboxes, directory, own_names, acts_for, first, policies)
        self.assistants.start()
        delivered = waking(self.database, self.assistants.note)
        services: list[RpcService] = [
            InterfaceService(MAILBOX_ACCESS, rows["cas-to-mailbox"], mailboxes),
            InterfaceService(MAILBOX_ITEMS, rows["cas-to-mailbox"], items),
            InterfaceService(MAILBOX_DELIVERY, rows["hub-to-mailbox-mapi"], delivered),
            InterfaceService(MAILBOX_AVAILABILITY, rows["availability-to-mailbox"], MailboxAvailability(self.database)),
            InterfaceService(MAILBOX_ASSISTANTS, rows["mailbox-assistants"], self.assistants),
        ]
        await self.rpc.open(self.doors, Role.MAILBOX, services)

    async def stop(self) -> None:
        await self.house.stop()
        await self.doors.close()
        await self.assistants.close()
        await self.notifier.close()
        await self.database.close()
        await self.logon.stop()


async def start(runtime: Runtime) -> Mailbox:
    mailbox = Mailbox(runtime)
    await mailbox.start()
    return mailbox
