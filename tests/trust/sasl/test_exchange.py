"""One SASL exchange as every protocol has it: data with success is one more challenge, `*` and bad base64 end it."""

from __future__ import annotations

import base64

import pytest

from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.trust.outcome import Challenge, Denied, Granted
from postern.trust.sasl.exchange import Cancelled, SaslExchange, encoded
from tests.trust.people import run

ALICE = Identity(PrincipalKind.USER, "alice@example.test", Mechanism.SCRAM)


class Script:
    """A mechanism that says what it is told to, and keeps what it heard."""

    def __init__(self, *outcomes: Challenge | Granted | Denied) -> None:
        self._outcomes = iter(outcomes)
        self.heard: list[bytes | None] = []

    async def step(self, response: bytes | None) -> Challenge | Granted | Denied:
        self.heard.append(response)
        return next(self._outcomes)


def say(script: Script, *lines: bytes | None) -> tuple[list[object], SaslExchange]:
    exchange = SaslExchange()
    exchange.begin(script)

    async def steps() -> list[object]:
        return [await exchange.respond_encoded(line) for line in lines]

    return run(steps()), exchange


def test_nothing_and_an_empty_response_are_told_apart() -> None:
    script = Script(Challenge(b"name?"), Challenge(b"more?"), Denied())
    outcomes, exchange = say(script, None, b"", base64.b64encode(b"no"))
    assert script.heard == [None, b"", b"no"]
    assert outcomes == [Challenge(b"name?"), Challenge(b"more?"), Denied()] and exchange._server is None
    assert encoded(Challenge(b"name?")) == b"bmFtZT8="


def test_data_with_success_is_one_more_challenge() -> None:
    script = Script(Granted(ALICE, b"v=proof"))
    outcomes, exchange = say(script, b"YQ==", b"")
    assert outcomes == [Challenge(b"v=proof"), Granted(ALICE)] and exchange._server is None
    assert script.heard == [b"a"]


@pytest.mark.parametrize("line", [b"*", b"!!", b"YQ", b"YQ==YQ==", b"Y Q=", b"\xff"])
@pytest.mark.parametrize("granted", [False, True])
def test_a_client_that_cancels_or_breaks_off_is_nobody(line: bytes, granted: bool) -> None:
    """With success already on its way too: the server's proof may have been wrong for the client."""
    first = Granted(ALICE, b"v=proof") if granted else Challenge(b"")
    (_, last), exchange = say(Script(first), None, line)
    assert isinstance(last, Cancelled) and exchange._server is None
