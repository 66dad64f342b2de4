"""Every interface of our own, published as IDL in docs/idl by its name."""

from __future__ import annotations

from typing import Any

from postern.protocols.dcerpc.interface import Interface
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY
from postern.protocols.dcerpc.interfaces.logon_broker import LOGON_BROKER
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE

PUBLISHED: tuple[Interface[Any], ...] = (
    AD_TOPOLOGY,
    LOGON_BROKER,
    MAILBOX_ACCESS,
    MAILBOX_DELIVERY,
    MAIL_SUBMISSION,
    RECIPIENT_UPDATE,
)
