"""What a mailbox server offers, all interfaces together. A service asks for the interfaces that it uses, and no more."""

from __future__ import annotations

from typing import Protocol

from postern.model.delivery import DeliveryStore, Outbox
from postern.model.folders import FolderStore, FolderTree
from postern.model.item_store import ItemStore
from postern.model.items import ImapItems
from postern.model.mailbox import Changes, Logon


class ClientMailboxes(Logon, FolderStore, ImapItems, Outbox, Protocol):
    """What IMAP and POP3 are given of the mailboxes of one server."""


class Mailboxes(ClientMailboxes, DeliveryStore, Changes, Protocol):
    """All that the mailbox RPC interfaces carry. `store` implements it on PostgreSQL, `services.mailbox.client` by remote
    procedure calls."""


class MailboxItems(FolderTree, ItemStore, Protocol):
    """What clients that know items by id and folders by parent are given of the mailboxes of one server."""
