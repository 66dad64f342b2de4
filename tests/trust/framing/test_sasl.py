"""SASL in its framing: names and mechanisms, data with success as one more challenge, `*` and bad base64 as the end."""

from __future__ import annotations

import base64
from itertools import product
from typing import Any

import pytest

from postern.model.organization import Profile
from postern.model.security import Identity, Mechanism, PrincipalKind, Seal
from postern.paths.guard import Guard, Reason, Refusal
from postern.paths.table import TABLE, settle
from postern.telemetry.metrics import Metrics
from postern.trust.acceptor import ANYBODY, Asking, Cause, Challenge, Denied, Failure, Granted, Outcome
from postern.trust.framing import sasl
from postern.trust.framing.sasl import BINDING, NAMES, AuthExchange, allowed, encoded, names
from tests.support.counts import refusals
from tests.trust.people import PEER, run

TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")
ALICE = Identity(PrincipalKind.USER, "alice@example.test", Mechanism.SCRAM)
EDGE = Identity(PrincipalKind.SERVER, "EDGE1$", Mechanism.DIRECT_TRUST)
IMAP = Guard([settle(Profile.PRACTICAL)["imap4"]], frozenset(Mechanism))


class Script:
    """In an authenticator's place: one mechanism, which says what it is told to and keeps what it heard."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = iter(outcomes)
        self.heard: list[bytes | None] = []

    async def step(self, response: bytes | None) -> Outcome:
        self.heard.append(response)
        return next(self._outcomes)


@pytest.fixture(autouse=True)
def only_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sasl, "begin", lambda script, name, asking: None if name == "NTLM" else script)


def say(
    script: Any, *lines: bytes | None, name: str = "plain", asking: Asking | None = None
) -> tuple[list[object], bool]:
    """The turns of an exchange with these lines, and whether it is over."""
    exchange = AuthExchange(IMAP, script, encoded=True)

    async def steps() -> list[object]:
        turns: list[object] = [await exchange.begin(name, lines[0], asking or Asking(PEER, TLS))]
        return turns + [await exchange.respond(line) for line in lines[1:]]

    return run(steps()), exchange._acceptor is None


def test_nothing_and_an_empty_response_are_told_apart() -> None:
    script = Script(Challenge(b"name?"), Challenge(b"more?"), Denied())
    lines = say(script, None, b"", base64.b64encode(b"no"))
    assert script.heard == [None, b"", b"no"]
    assert lines == ([Challenge(b"name?"), Challenge(b"more?"), Failure(Cause.FAILED)], True)
    assert encoded(Challenge(b"name?")) == b"bmFtZT8="


def test_nothing_was_decided() -> None:
    assert say(Script(Denied(True, "busy")), b"") == ([Failure(Cause.UNAVAILABLE, "busy")], True)


def test_data_with_success_is_one_more_challenge() -> None:
    script = Script(Granted(ALICE, b"v=proof"))
    assert say(script, b"YQ==", b"") == ([Challenge(b"v=proof"), Granted(ALICE)], True)
    assert script.heard == [b"a"]


def test_a_success_that_was_not_taken_is_not_the_next_exchange_s() -> None:
    script: Any = Script(Granted(ALICE, b"v=proof"), Denied())
    exchange, asking = AuthExchange(IMAP, script, encoded=True), Asking(PEER, TLS)
    assert run(exchange.begin("plain", b"", asking)) == Challenge(b"v=proof")
    assert run(exchange.begin("plain", b"", asking)) == Failure(Cause.FAILED)


@pytest.mark.parametrize("line", [b"*", b"!!", b"YQ", b"YQ==YQ==", b"Y Q=", b"\xff"])
@pytest.mark.parametrize("granted", [False, True])
def test_a_client_that_cancels_or_breaks_off_is_nobody(line: bytes, granted: bool) -> None:
    """With success already on its way too: the server's proof may have been wrong for the client."""
    first = Granted(ALICE, b"v=proof") if granted else Challenge(b"")
    lines, is_over = say(Script(first), None, line)
    assert isinstance(lines[1], Failure) and lines[1].cause is Cause.CANCELLED and is_over


@pytest.mark.parametrize(
    ("name", "seal", "cause"),
    [
        ("CRAM-MD5", TLS, Cause.UNSUPPORTED),
        ("EXTERNAL", TLS, Cause.UNSUPPORTED),
        ("NTLM", TLS, Cause.UNSUPPORTED),
        ("PLAIN", None, Cause.PRIVACY),
        ("SCRAM-SHA-256-PLUS", None, Cause.PRIVACY),
    ],
)
def test_what_is_refused_before_it_begins(name: str, seal: Seal | None, cause: Cause) -> None:
    script = Script()
    (failure,), is_over = say(script, b"", name=name, asking=Asking(PEER, seal))
    assert isinstance(failure, Failure) and failure.cause is cause and is_over and script.heard == []


def test_a_certificate_that_has_proven_its_owner_may_be_named() -> None:
    certified = Asking(PEER, TLS, certified=EDGE)
    assert say(None, b"", name="external", asking=certified) == ([Granted(EDGE)], True)
    lines, _ = say(None, base64.b64encode(b"EDGE2$"), name="EXTERNAL", asking=certified)
    assert lines == [Failure(Cause.FAILED)]
    assert say(Script(Denied()), b"", name="PLAIN", asking=certified)[0] == [Failure(Cause.FAILED)]
    assert certified.callers == ANYBODY


# Names


def test_names_are_shown_in_the_order_of_the_mechanisms() -> None:
    mechanisms = (Mechanism.KERBEROS, Mechanism.BASIC, Mechanism.SCRAM, Mechanism.NEGOTIATE, Mechanism.PEER)
    assert names(mechanisms) == ("GSSAPI", "PLAIN", "LOGIN", "SCRAM-SHA-256")
    assert names(mechanisms, binds=True) == ("GSSAPI", "PLAIN", "LOGIN", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")
    assert names((Mechanism.CERTIFICATE, Mechanism.DIRECT_TRUST)) == ("EXTERNAL",)


@pytest.mark.parametrize("profile", Profile)
def test_what_is_shown_is_what_is_allowed(profile: Profile) -> None:
    every = {name for named in NAMES.values() for name in named}
    seals = (None, TLS, Seal("TLSv1.1", "x"), Seal("local", "SO_PEERCRED"))
    for row, seal in product(settle(profile).values(), seals):
        guard = Guard([row], frozenset(Mechanism))
        binds = seal is not None and seal.protocol == "TLSv1.3"
        shown = names(guard.offer(seal, can_upgrade=True).mechanisms, binds)
        taken = {name for name in every if isinstance(allowed(guard, name, seal), Mechanism)}
        assert set(shown) == taken - (set() if binds else BINDING)
        assert len(shown) == len(set(shown))
        assert binds or not taken & BINDING


def test_names_are_taken_in_any_case_and_unknown_ones_are_not_listed() -> None:
    assert allowed(IMAP, "plain", TLS) is Mechanism.BASIC
    for name in ("CRAM-MD5", "ANONYMOUS", "", "PLAIN\r\n", "EXTERNAL"):
        refusal = allowed(IMAP, name, TLS)
        assert isinstance(refusal, Refusal) and refusal.reason is Reason.MECHANISM_NOT_LISTED


def test_external_is_whichever_of_its_mechanisms_is_there() -> None:
    rows = [TABLE["edge-to-edge"], TABLE["hub-to-edge"]]
    for mechanism in (Mechanism.DIRECT_TRUST, Mechanism.CERTIFICATE):
        assert allowed(Guard(rows, frozenset({mechanism})), "EXTERNAL", TLS) is mechanism
    assert isinstance(allowed(Guard(rows, frozenset(Mechanism)), "EXTERNAL", None), Refusal)


def test_refusals_are_counted_by_path_and_reason(counted: Metrics) -> None:
    say(Script(Denied()), b"")
    say(Script(Denied(True, "busy")), b"")
    say(Script(), b"", asking=Asking(PEER, None))
    assert refusals(counted) == {
        ("imap4", "authentication-failed"): 1,
        ("imap4", "unavailable"): 1,
        ("imap4", "encryption-required"): 1,
    }
