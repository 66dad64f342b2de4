"""The list of our own interfaces: which part of a host serves each, and the text of docs/idl."""

from __future__ import annotations

from typing import Any

from postern.model.organization import HostService, Role
from postern.protocols.dcerpc.interface import Interface
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY
from postern.protocols.dcerpc.interfaces.availability import MAILBOX_AVAILABILITY
from postern.protocols.dcerpc.interfaces.logon_broker import LOGON_BROKER
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.interfaces.mailbox_assistants import MAILBOX_ASSISTANTS
from postern.protocols.dcerpc.interfaces.mailbox_items import MAILBOX_ITEMS
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE

SERVED: tuple[tuple[Role | HostService, tuple[Interface[Any], ...]], ...] = (
    (Role.MAILBOX, (MAILBOX_ACCESS, MAILBOX_DELIVERY, MAILBOX_ITEMS, MAILBOX_ASSISTANTS, MAILBOX_AVAILABILITY)),
    (Role.HUB, (MAIL_SUBMISSION,)),
    (HostService.TOPOLOGY, (AD_TOPOLOGY,)),
    (HostService.ATTENDANT, (RECIPIENT_UPDATE,)),
)
"""The parts in the order of their ports in the dynamic range, each with its interfaces."""

WITHIN_A_HOST = (LOGON_BROKER,)
"""Interfaces that a host's processes call over a unix socket alone: the endpoint mapper does not know them."""

PUBLISHED: tuple[Interface[Any], ...] = (*(each for _, interfaces in SERVED for each in interfaces), *WITHIN_A_HOST)
"""Every interface of our own, each with its IDL in docs/idl."""


def part_of(interface: Interface[Any]) -> Role | HostService:
    """The part of a host that serves this interface."""
    return next(part for part, interfaces in SERVED if interface in interfaces)
