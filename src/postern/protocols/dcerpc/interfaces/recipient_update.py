"""The interface of rus-rpc: a command or another mailbox server asks an attendant to update recipients now, or whether it
works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from postern.model.directory import DirectoryUnavailable, RecipientsUpdated
from postern.protocols.dcerpc.codecs import Codec, Parameter, Wide
from postern.protocols.dcerpc.interface import Interface, Operation, Refusals, Syntax
from postern.protocols.dcerpc.ndr import U32, Text

_DONE, _RESTS, _UNAVAILABLE = 0, 1, 2
_LONGEST = 3600.0
"""Seconds that a caller waits for all recipients of a large organization."""
_STANDING = 3.0
"""Seconds in which an attendant must say that it is there."""


class RecipientUpdating(Protocol):
    """The calls by which an attendant is asked. Every method may raise DirectoryUnavailable."""

    async def update(self, recipients: Sequence[str]) -> RecipientsUpdated | None:
        """Updates these recipients, or all for (); None: this attendant rests, ask the server before it."""
        ...

    async def standing(self) -> tuple[bool, int, int]:
        """Whether this attendant works, and how many recipients it has looked at and changed since it started."""
        ...


def _write_done(done: RecipientsUpdated | None) -> tuple[Any, ...]:
    if done is None:
        return 0, 0, "", _RESTS
    return done.seen, done.changed, "\n".join(done.failed), _DONE


def _read_done(seen: int, changed: int, failed: str, number: int) -> RecipientsUpdated | None:
    if number == _RESTS:
        return None
    if number != _DONE:
        raise _REFUSALS.read(number)
    return RecipientsUpdated(seen, changed, tuple(filter(None, failed.split("\n"))))


_DONE_OR_RESTS = Wide((("seen", U32), ("changed", U32), ("failed", Text())), _write_done, _read_done, numbered=True)
_RECIPIENTS = Codec(Text(), "\n".join, lambda text: tuple(dict.fromkeys(filter(None, text.split("\n")))))
_REFUSALS = Refusals(
    DirectoryUnavailable,
    write=lambda error: (_UNAVAILABLE,),
    read=lambda number: DirectoryUnavailable("Active Directory does not answer"),
)

RECIPIENT_UPDATE: Interface[RecipientUpdating] = Interface(
    "postern_recipient_update",
    Syntax(UUID("7d0a1c3e-9b52-4f6d-8a47-c1e05f2b9d36"), 1),
    {
        0: Operation(
            RecipientUpdating.update,
            "Gives recipients the addresses of their policies and the address lists they are in: those of these addresses or\n"
            "names, one a line, or all for an empty string. `failed` are names, one a line, of whom could not be changed.\n"
            "Returns 0 when it is done, 1 if another server's attendant works, 2 if Active Directory does not answer.",
            (Parameter("recipients", _RECIPIENTS),),
            _DONE_OR_RESTS,
            _REFUSALS,
            timeout=_LONGEST,
        ),
        1: Operation(
            RecipientUpdating.standing,
            "Whether this attendant works (1) or rests (0) because that of a server before it answers, and what it did since\n"
            "it started. An attendant whose last round failed answers that Active Directory does not answer, so that the\n"
            "next one takes over.",
            (),
            Wide(
                (("works", U32), ("seen", U32), ("changed", U32)),
                lambda standing: standing,
                lambda works, seen, changed: (bool(works), seen, changed),
            ),
            _REFUSALS,
            timeout=_STANDING,
        ),
    },
    """Postern recipient update

This interface is Postern's own: Exchange's counterpart has no public specification, so the UUID was minted here.
Path of the table: rus-rpc. Callers: mailbox servers of the organization, proven by Kerberos alone, under packet privacy
(RPC_C_AUTHN_LEVEL_PKT_PRIVACY) over ncacn_ip_tcp.

This file is generated from postern.protocols.dcerpc.""",
    RecipientUpdating,
    sizes=(2,),
)
