"""The interface of mailbox-to-hub-submission: the Mail Submission Service tells a hub that messages wait in outboxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from postern.protocols.dcerpc.codecs import UUIDS, Parameter, Wide
from postern.protocols.dcerpc.interface import Interface, Operation, Syntax
from postern.protocols.dcerpc.ndr import Text

_TAKEN, _FULL = 0, 1


class MailSubmission(Protocol):
    """The calls by which a mailbox server tells a hub about outboxes."""

    async def notify(self, server: str, mailboxes: Sequence[UUID]) -> bool:
        """Tells that items wait in the outboxes of these mailboxes of this mailbox server. True once the hub has noted that,
        False if it takes no more now."""
        ...


_NOTED = Wide((), lambda noted: (_TAKEN if noted else _FULL,), lambda number: number == _TAKEN, numbered=True)

MAIL_SUBMISSION: Interface[MailSubmission] = Interface(
    "postern_mail_submission",
    Syntax(UUID("2f9b6c70-51de-4f57-b1a3-90c84e27d5aa"), 1),
    {
        0: Operation(
            MailSubmission.notify,
            "Items wait in the outboxes of these mailboxes (UUIDs of 16 bytes) of this mailbox server. The hub answers 0 once\n"
            "it has noted that, 1 if it takes no more now, and fetches them by itself over hub-to-mailbox-mapi.",
            (Parameter("server", Text()), Parameter("mailboxes", UUIDS)),
            _NOTED,
        ),
    },
    """Postern mail submission

This interface is Postern's own: Exchange's counterpart has no public specification, so the UUID was minted here.
Path of the table: mailbox-to-hub-submission. Callers: mailbox servers of the organization, under packet privacy
(RPC_C_AUTHN_LEVEL_PKT_PRIVACY; NTLM or Kerberos) over ncacn_ip_tcp, or with the kernel's word over a unix socket.

This file is generated from postern.protocols.dcerpc.""",
    MailSubmission,
    sizes=(1,),
)
