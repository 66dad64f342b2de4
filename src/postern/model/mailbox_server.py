"""The interfaces of a mailbox server, put together for each kind of client. A service asks for those that it uses."""

from __future__ import annotations

from typing import Protocol

from postern.model.delivery import DeliveryStore, Outbox
from postern.model.edits import EditStore
from postern.model.folders import FolderStore, FolderTree
from postern.model.item_store import ItemStore
from postern.model.items import ImapItems
from postern.model.mailbox import Changes, Logon
from postern.model.meetings import MeetingStore
from postern.model.out_of_office import OutOfOfficeStore
from postern.model.resources import ResourceStore
from postern.model.sharing import MailboxGrants


class ClientMailboxes(Logon, FolderStore, ImapItems, Outbox, Protocol):
    """The mailboxes of one server as IMAP and POP3 use them."""


class Mailboxes(ClientMailboxes, DeliveryStore, Changes, Protocol):
    """All operations that the mailbox RPC interfaces carry. `store` implements them on PostgreSQL, `services.mailbox.client` by
    remote procedure calls."""


class MailboxItems(
    FolderTree, ItemStore, ResourceStore, MeetingStore, EditStore, MailboxGrants, OutOfOfficeStore, Protocol
):
    """The mailboxes of one server for clients that know items by id or by name, and folders by parent."""
