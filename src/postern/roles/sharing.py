"""Rights in others' mailboxes, as a client access process judges them: one `Sharing` for all its protocols."""

from __future__ import annotations

from collections.abc import Mapping

from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS
from postern.protocols.dcerpc.interfaces.mailbox_items import MAILBOX_ITEMS
from postern.roles.rpc_calls import RpcCalls
from postern.roles.runtime import Runtime
from postern.services.access.changes import MailboxChanges
from postern.services.access.logon import MailboxServer
from postern.services.access.sharing import Sharing, SharingDirectory
from postern.services.mailbox.client import MailboxItemsClient


class SharedItems:
    """The mailboxes of all mailbox servers, the items in them, and the rights on them. `stores` and `servers` are by the servers'
    names."""

    def __init__(self, runtime: Runtime, calls: RpcCalls, directory: SharingDirectory) -> None:
        self._calls = calls
        self.stores: Mapping[str, MailboxItemsClient] = calls.items(runtime.rows["cas-to-mailbox"], MAILBOX_ITEMS)
        clients = calls.mailboxes(runtime.rows["cas-to-mailbox"], MAILBOX_ACCESS)
        self.servers = {
            name: MailboxServer(client, MailboxChanges(client), self.stores[name]) for name, client in clients.items()
        }
        self.sharing = Sharing(directory, self.store, self.stores.values)

    def store(self, database: str) -> MailboxItemsClient | None:
        """The items of the server that has a database now."""
        server = self._calls.server_of(database)
        return self.stores.get(server.name) if server is not None else None
