"""Has a carrier carry one batch to one hop, and decides the outcomes when the carrier fails."""

from __future__ import annotations

from collections.abc import Sequence

from postern.model.mail import Action, RecipientOutcome
from postern.telemetry.attempts import LIMIT, strike
from postern.telemetry.log import Event, log
from postern.transport import poison
from postern.transport.hop import Hop, Load
from postern.transport.queued import QueuedRecipient
from postern.transport.segments import DamagedBody

Outcomes = Sequence[Sequence[RecipientOutcome]]
_NOT_ITS_FAULT = (OSError, MemoryError, DamagedBody)


class _Miscounted(Exception):
    """A carrier gave outcomes that do not match its parcels."""


async def carry(hop: Hop, loads: Sequence[Load]) -> Outcomes:
    """An outcome per recipient of each load, in order. A carrier should not raise. One message of the batch may be the cause if
    it does: then each is carried on its own, and an error counts against a message that raises again, unless all do."""
    try:
        return await _carried(hop, loads)
    except Exception as error:
        log(Event.CONVERSATION_FAILED, conversation=f"carrier {hop.label}", error=repr(error), exc_info=error)
        if len(loads) == 1:
            return [_blamed(loads[0], error)]
    return await _one_by_one(hop, loads)


async def _one_by_one(hop: Hop, loads: Sequence[Load]) -> Outcomes:
    outcomes: list[Sequence[RecipientOutcome]] = []
    raised: dict[int, Exception] = {}
    for number, load in enumerate(loads):
        try:
            outcomes += await _carried(hop, [load])
        except Exception as error:
            log(Event.CONVERSATION_FAILED, conversation=f"carrier {hop.label}", error=repr(error))
            raised[number] = error
            outcomes.append(delayed(load.recipients))
    if len(raised) < len(loads) or len({load.message.id for load in loads}) == 1:
        for number, why in raised.items():
            outcomes[number] = _blamed(loads[number], why)
    return outcomes


async def _carried(hop: Hop, loads: Sequence[Load]) -> Outcomes:
    outcomes = await hop.carrier.carry(hop.hop, [load.parcel for load in loads])
    if [len(per_recipient) for per_recipient in outcomes] != [len(load.recipients) for load in loads]:
        raise _Miscounted
    return outcomes


def _blamed(load: Load, error: Exception) -> list[RecipientOutcome]:
    """The outcomes for a load that raised. It is tried again, or set aside if it was tried too often for a single recipient."""
    if isinstance(error, (*_NOT_ITS_FAULT, _Miscounted)):
        return delayed(load.recipients)
    count = strike(poison.key_of(load.parcel), error).count
    alone = load.parcel.alone is not None
    if count < (poison.ALONE if alone else LIMIT) or not (alone or len(load.message.recipients) == 1):
        return delayed(load.recipients)
    diagnostic = f"{type(error).__name__}: {error}"
    return [
        RecipientOutcome(r.address, Action.DELAYED, poison.STATUS, diagnostic, poison=True) for r in load.recipients
    ]


def delayed(
    recipients: Sequence[QueuedRecipient], status: str = "4.3.0", diagnostic: str = "Internal error"
) -> list[RecipientOutcome]:
    return [RecipientOutcome(r.address, Action.DELAYED, status, diagnostic) for r in recipients]
