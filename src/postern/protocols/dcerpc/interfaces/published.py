"""What docs/idl holds: every interface of our own as IDL, by its file's name."""

from __future__ import annotations

from postern.protocols.dcerpc.interface import idl
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY
from postern.protocols.dcerpc.interfaces.logon_broker import LOGON_BROKER
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.interfaces.mailbox_items import MAILBOX_ITEMS
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE


def published() -> dict[str, str]:
    return {
        f"{one.name}.idl": idl(one)
        for one in (
            AD_TOPOLOGY,
            LOGON_BROKER,
            MAILBOX_ACCESS,
            MAILBOX_DELIVERY,
            MAILBOX_ITEMS,
            MAIL_SUBMISSION,
            RECIPIENT_UPDATE,
        )
    }
