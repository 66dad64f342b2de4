"""The interface of mailbox-assistants: mailbox servers ask assistants what waits for them and what they have done."""

from __future__ import annotations

from uuid import UUID

from postern.model.assistants import Assistants, AssistantState
from postern.model.mailbox import MailboxErrorCode
from postern.protocols.dcerpc.codecs import Parameter, record
from postern.protocols.dcerpc.interface import Interface, Operation, Syntax
from postern.protocols.dcerpc.interfaces.mailbox_codecs import REFUSALS
from postern.protocols.dcerpc.ndr import U32

TIMEOUT = 10.0
"""Seconds that a caller waits for an answer."""

MAILBOX_ASSISTANTS: Interface[Assistants] = Interface(
    "postern_mailbox_assistants",
    Syntax(UUID("e59a1c84-2d37-4b60-9c1f-63d80b7f4a15"), 2),
    {
        0: Operation(
            Assistants.state,
            "How many messages of all mailboxes of the database wait (of many the first 1,000), and how many this process has\n"
            "applied, left as mail, and set aside since it started.",
            (),
            record(AssistantState, [Parameter(name, U32) for name in ("waiting", "applied", "left", "set_aside")]),
            REFUSALS,
            timeout=TIMEOUT,
        ),
    },
    f"""Postern mailbox assistants

This interface is Postern's own: Exchange's counterpart has no public specification, so the UUID was minted here.
Path of the table: mailbox-assistants. Callers: mailbox servers of the organization, proven by NTLM or Kerberos over ncacn_ip_tcp,
under packet integrity in the profile "reference" (RPC_C_AUTHN_LEVEL_PKT_INTEGRITY), under packet privacy in others
(RPC_C_AUTHN_LEVEL_PKT_PRIVACY), or with the kernel's word over a unix socket. Every operation returns 0, or
{MailboxErrorCode.UNAVAILABLE.value} where the database does not answer, with the words for it in error_text (UTF-8).

This file is generated from postern.protocols.dcerpc.""",
    Assistants,
    sizes=(1,),
)
