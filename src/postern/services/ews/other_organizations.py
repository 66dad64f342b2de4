"""Asks the Exchange Web Services of other organizations when their people are busy (row availability-to-organization).

An administrator names them: their domains, the URL, and an account that they gave for this (`[[availability]]` in postern.toml).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from postern.model.availability import BusyEvent, Span, Told, WhenBusy
from postern.protocols.ews.envelope import CONTENT_TYPE
from postern.protocols.ews.foreign_availability import TOO_MANY, ForeignAnswer, question, read_answer
from postern.services.access.availability import Answer, Problem
from postern.services.http.outgoing import Outgoing, OutgoingError, Target
from postern.telemetry.log import Event, log

_PROBLEMS = {
    "ErrorMailRecipientNotFound": Problem.NOBODY,
    "ErrorNoFreeBusyAccess": Problem.NO_ACCESS,
    TOO_MANY: Problem.TOO_MANY,
}


@dataclass(frozen=True, slots=True)
class OtherOrganization:
    """A place where the people of a domain are asked about. `password` reads the account's password; it raises OSError."""

    target: Target
    user: str
    password: Callable[[], str]


class ForeignAvailability:
    """Implements `services.access.availability.OtherOrganizations` for these organizations, by their domains in A-labels."""

    def __init__(self, outgoing: Outgoing, organizations: Mapping[str, OtherOrganization]) -> None:
        self._outgoing = outgoing
        self._organizations = organizations

    def serves(self, domain: str) -> bool:
        return domain in self._organizations

    async def when_busy(self, domain: str, addresses: Sequence[str], span: Span) -> list[Answer]:
        organization = self._organizations[domain]
        try:
            proof = base64.b64encode(f"{organization.user}:{organization.password()}".encode())
            body = question(addresses, span.start, span.end)
            fields = [(b"Content-Type", CONTENT_TYPE.encode()), (b"Authorization", b"Basic " + proof)]
            response = await self._outgoing.post(organization.target, body, fields)
        except (OutgoingError, OSError, UnicodeError) as error:
            return self._failed(domain, str(error), len(addresses))
        if response.status != HTTPStatus.OK:
            return self._failed(domain, f"{organization.target.host} answered {response.status}", len(addresses))
        answers = read_answer(response.body, span.start)
        if answers is None or len(answers) != len(addresses):
            return self._failed(domain, f"{organization.target.host} gave no answer that can be read", len(addresses))
        return [_told(answer) for answer in answers]

    @staticmethod
    def _failed(domain: str, error: str, count: int) -> list[Answer]:
        log(Event.AVAILABILITY_FAILED, domain=domain, error=error)
        return [Problem.FOREIGN] * count


def _told(answer: ForeignAnswer) -> Answer:
    if answer.code != "NoError":
        return _PROBLEMS.get(answer.code, Problem.FOREIGN)
    return WhenBusy(Told.TIME, tuple([BusyEvent(*event) for event in answer.events]))
