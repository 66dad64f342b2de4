"""Questions to DNS and their answers, as the machines of this folder ask them: they yield a question, and the caller
looks it up.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Kind(StrEnum):
    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    PTR = "PTR"
    TXT = "TXT"


class Found(StrEnum):
    YES = "yes"
    NOTHING = "nothing"
    """The name exists without such a record (NODATA)."""
    NO_NAME = "no-name"
    """NXDOMAIN."""
    UNKNOWN = "unknown"
    """No answer now: SERVFAIL, a time-out."""


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    """Without the final dot."""
    kind: Kind


@dataclass(frozen=True, slots=True)
class Answer:
    """`records` are addresses, names without the final dot (MX by preference), or texts, one per TXT record, its strings joined
    without anything between and read as Latin-1, so that no octet is lost."""

    outcome: Found
    records: tuple[str, ...] = ()
    ttl: float = 0.0
    """Seconds that the answer may be remembered."""


UNKNOWN = Answer(Found.UNKNOWN)
Asking = Generator[Question, Answer, T]
"""A part of an evaluation: it yields questions, is sent answers, and returns what it found."""


class Machine(Generic[T]):
    """Pulls an evaluation along: `question` is what it waits for (None at its end), `answer` lets it go on."""

    def __init__(self, evaluation: Asking[T]) -> None:
        self._evaluation = evaluation
        self.question: Question | None = None
        self._result: T | None = None
        self._advance(None)

    @property
    def result(self) -> T:
        """Only once no question is left."""
        assert self.question is None and self._result is not None
        return self._result

    def answer(self, answer: Answer) -> None:
        self._advance(answer)

    def _advance(self, answer: Answer | None) -> None:
        try:
            self.question = next(self._evaluation) if answer is None else self._evaluation.send(answer)
        except StopIteration as end:
            self.question, self._result = None, end.value


def answered(machine: Machine[T], look_up: Callable[[Question], Answer]) -> T:
    """The result, where answers are at hand."""
    while machine.question is not None:
        machine.answer(look_up(machine.question))
    return machine.result
