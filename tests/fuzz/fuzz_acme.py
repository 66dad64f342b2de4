"""Fuzz target for what an ACME server sends: `python tests/fuzz/fuzz_acme.py -max_total_time=300`, with atheris.

The first octet says how the rest is cut; whole and cut give the same answer. The body of an answer, and the octets themselves,
are read as each object of ACME, and as the token that a stranger asks for.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.protocols.acme", "postern.protocols.http"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.protocols.acme import answers
    from postern.protocols.http.client import ClientMachine, NoResponse, Response
    from postern.services.acme.challenges import ChallengeFiles

READERS = (answers.read_directory, answers.read_order, answers.read_authorization, answers.read_problem)
NOWHERE = ChallengeFiles(Path("/nonexistent"))


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a reader does what it must not."""
    if not data:
        return
    answer = answered(data[1:])
    assert answer == answered(data[1:], 1 + data[0])
    objects(data[1:])
    if isinstance(answer, Response):
        objects(answer.body)
    text = data[1:].decode("latin-1")
    assert NOWHERE.get(text) is None
    assert not answers.is_token(text) or ("/" not in text and "." not in text)


def answered(wire: bytes, step: int = 0) -> Response | NoResponse:
    machine = ClientMachine("GET", "/", "a.test")
    machine.outgoing()
    for at in range(0, len(wire), step or len(wire) or 1):
        machine.receive(wire[at : at + (step or len(wire))])
    machine.ended()
    event = machine.next_event()
    assert event is not None and machine.next_event() is None
    return event


def objects(octets: bytes) -> None:
    try:
        value = answers.read_object(octets)
    except answers.AnswerError:
        return
    for reader in READERS:
        try:
            reader(value)
        except answers.AnswerError:
            pass


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
