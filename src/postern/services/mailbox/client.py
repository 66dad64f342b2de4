"""Mailboxes of another server, by remote procedure calls, for roles that do not run the store themselves."""

from __future__ import annotations

from typing import Protocol, cast

from postern.model.availability import Availability
from postern.model.mailbox_server import Mailboxes, MailboxItems
from postern.protocols.dcerpc.interface import Interface
from postern.services.rpc.client import RpcClient
from postern.services.rpc.stub import Remote, stub


class MailboxClient(Remote, Mailboxes, Protocol):
    """Mailboxes of one server, and the connections to it. A failed connection raises MailboxError UNAVAILABLE: try again. An
    operation that the interface does not have (a hub has only those of delivery) raises MailboxError CANNOT."""


class MailboxItemsClient(Remote, MailboxItems, Protocol):
    """Items and folders of one server's mailboxes, and the connections to it; it fails as `MailboxClient` does."""


class AvailabilityClient(Remote, Availability, Protocol):
    """The calendars of one server's mailboxes, and the connections to it; it fails as `MailboxClient` does."""


def availability_client(rpc: RpcClient, interface: Interface[Availability]) -> AvailabilityClient:
    return cast(AvailabilityClient, stub(rpc, interface))


def items_client(rpc: RpcClient, interface: Interface[MailboxItems]) -> MailboxItemsClient:
    return cast(MailboxItemsClient, stub(rpc, interface))


def mailbox_client(rpc: RpcClient, interface: Interface[Mailboxes]) -> MailboxClient:
    """Makes a client of `interface`, which `rpc` calls."""
    return cast(MailboxClient, stub(rpc, interface))
