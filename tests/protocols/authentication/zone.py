"""A zone in a dictionary, for machines that ask: ("name", "TXT") to records. A name that stands nowhere does not exist; "?" as a
record means that there is no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from postern.protocols.authentication.questions import UNKNOWN, Answer, Found, Question

Zone = Mapping[tuple[str, str], Sequence[str]]


def look_up(zone: Zone, asked: list[Question] | None = None) -> Callable[[Question], Answer]:
    names = {name.lower() for name, _ in zone}

    def answer(question: Question) -> Answer:
        if asked is not None:
            asked.append(question)
        name = question.name.lower().rstrip(".")
        records = zone.get((name, question.kind.value), ())
        if "?" in records:
            return UNKNOWN
        if records:
            return Answer(Found.YES, tuple(records), 300.0)
        return Answer(Found.NOTHING if name in names else Found.NO_NAME)

    return answer
