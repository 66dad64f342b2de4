"""Who may prove itself where: one acceptor for users and servers, by NTLM bare and inside Negotiate; and the bounds on guessing.

covers: trust.exchanges, trust.host, trust.ntlm.contexts
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
import spnego

from postern.model.security import Channel, Mechanism, Peer, PrincipalKind
from postern.protocols.dcerpc.protection import AuthType
from postern.trust.acceptor import (
    ANYBODY,
    FAILED,
    MALFORMED,
    SERVERS,
    TOO_MANY,
    Asking,
    Challenge,
    Denied,
    Granted,
    Outcome,
)
from postern.trust.authenticator import Authenticator
from postern.trust.contexts import SecurityFailure
from postern.trust.framing import rpc
from postern.trust.host import HostCredentials
from postern.trust.ntlm.contexts import NtlmAcceptorContext
from postern.trust.ntlm.handshake import NtlmAcceptor, NtlmInitiator, NtlmResult, by_hash, channel_binding_hash, nt_hash
from tests.trust.people import PEER, People, run

HOST = HostCredentials("hub1", "example.test")
WRAPPED = spnego.NegotiateOptions.use_negotiate | spnego.NegotiateOptions.use_ntlm
CHANNEL = Channel(b"tls-server-end-point:ours", frozenset({"mail.example.test"}))


@pytest.fixture
def people() -> People:
    people = People()
    people.enabled = {"nt"}
    people.add("alice@example.test", "wonderland")
    people.add("HUB2$", "machine", is_server=True)
    people.add("PC7$", "machine")
    return people


@pytest.fixture
def authenticator(people: People) -> Iterator[Authenticator]:
    made = Authenticator(people, HOST, policy=people)
    yield made
    made.close()


async def log_on(
    authenticator: Authenticator,
    asking: Asking,
    user: str,
    password: str,
    target: str = "",
    binding: bytes | None = None,
) -> Outcome:
    exchange = authenticator.begin(Mechanism.NTLM, asking)
    assert exchange is not None
    client = NtlmInitiator(user, "EXAMPLE", nt_hash(password), target, binding)
    assert await exchange.step(None) == Challenge(b"")
    challenge = await exchange.step(client.negotiate())
    assert isinstance(challenge, Challenge)
    return await exchange.step(client.authenticate(challenge.data))


def kind_of(outcome: Outcome) -> PrincipalKind | None:
    return outcome.identity.kind if isinstance(outcome, Granted) else None


@pytest.mark.parametrize(
    ("callers", "user", "kind"),
    [
        (ANYBODY, "alice", PrincipalKind.USER),
        (ANYBODY, "HUB2$", PrincipalKind.SERVER),
        (ANYBODY, "PC7$", PrincipalKind.USER),
        (SERVERS, "HUB2$", PrincipalKind.SERVER),
        (SERVERS, "alice", None),
        (SERVERS, "PC7$", None),
        (frozenset({PrincipalKind.USER}), "alice", PrincipalKind.USER),
        (frozenset({PrincipalKind.USER}), "HUB2$", None),
    ],
)
def test_the_kinds_of_callers_are_an_argument(
    authenticator: Authenticator, callers: frozenset[PrincipalKind], user: str, kind: PrincipalKind | None
) -> None:
    async def steps() -> Outcome:
        await authenticator.refresh()
        password = "wonderland" if user == "alice" else "machine"
        return await log_on(authenticator, Asking(PEER, callers=callers), user, password)

    assert kind_of(run(steps())) is kind


def test_servers_need_nobody_to_enable_ntlm_and_users_do(authenticator: Authenticator) -> None:
    """Before `refresh` nobody has enabled it."""
    assert authenticator.available_to(SERVERS) == {Mechanism.NTLM}
    assert authenticator.available_to(frozenset({PrincipalKind.USER})) == {Mechanism.BASIC}
    assert authenticator.begin(Mechanism.NTLM, Asking(PEER, callers=frozenset({PrincipalKind.USER}))) is None
    assert authenticator.begin(Mechanism.BASIC, Asking(PEER)) is None
    assert kind_of(run(log_on(authenticator, Asking(PEER), "HUB2$", "machine"))) is PrincipalKind.SERVER
    assert run(log_on(authenticator, Asking(PEER), "alice", "wonderland")) == FAILED


def test_a_user_s_secret_is_not_judged_where_only_servers_call(authenticator: Authenticator, people: People) -> None:
    """Right and wrong alike: nothing is asked of the verifier, so nothing can be guessed."""
    asked: list[str] = []
    verifier = people.verifier

    async def ask(account: object, kind: str) -> str | None:
        asked.append(kind)
        return await verifier(account, kind)

    people.verifier = ask
    for password in ("wonderland", "wrong"):
        outcome = run(log_on(authenticator, Asking(PEER, callers=SERVERS), "alice", password))
        assert outcome == FAILED and asked == []
    run(log_on(authenticator, Asking(PEER, callers=SERVERS), "HUB2$", "wrong"))
    assert asked == ["nt"]


@pytest.mark.parametrize("callers", [ANYBODY, SERVERS])
def test_guesses_are_counted_and_slowed(
    authenticator: Authenticator, callers: frozenset[PrincipalKind], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds:
            waits.append(seconds)
        await really(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)

    async def steps() -> list[Outcome]:
        await authenticator.refresh()
        return [await log_on(authenticator, Asking(PEER, callers=callers), "HUB2$", "wrong") for _ in range(12)]

    outcomes = run(steps())
    assert set(outcomes) == {FAILED, TOO_MANY} and len(waits) >= 3 and waits == sorted(waits)
    elsewhere = Asking(Peer("198.51.100.7", 1), callers=callers)
    assert kind_of(run(log_on(authenticator, elsewhere, "HUB2$", "machine"))) is PrincipalKind.SERVER


def test_a_server_s_connections_side_by_side_do_not_slow_each_other(authenticator: Authenticator) -> None:
    async def steps() -> list[Outcome]:
        asking = Asking(PEER, callers=SERVERS)
        async with asyncio.timeout(10):
            return await asyncio.gather(*(log_on(authenticator, asking, "HUB2$", "machine") for _ in range(40)))

    assert {kind_of(outcome) for outcome in run(steps())} == {PrincipalKind.SERVER}


@pytest.mark.parametrize(
    ("target", "services", "right"),
    [
        ("http/mail.example.test", frozenset({"http"}), True),
        ("smtp/mail.example.test", frozenset({"http"}), False),
        ("http/other.example.test", frozenset({"http"}), False),
    ],
)
def test_an_answer_is_for_the_service_that_the_client_meant(
    authenticator: Authenticator, target: str, services: frozenset[str], right: bool
) -> None:
    asking = Asking(PEER, channel=CHANNEL, services=services)
    assert isinstance(run(log_on(authenticator, asking, "HUB2$", "machine", target)), Granted) is right


@pytest.mark.parametrize(("binding", "right"), [(CHANNEL.binding, True), (b"tls-server-end-point:theirs", False)])
def test_an_answer_is_bound_to_this_channel(authenticator: Authenticator, binding: bytes, right: bool) -> None:
    asking = Asking(PEER, channel=CHANNEL)
    outcome = run(log_on(authenticator, asking, "HUB2$", "machine", "", channel_binding_hash(binding)))
    assert isinstance(outcome, Granted) is right


def test_rpc_for_users_is_an_argument_away(authenticator: Authenticator) -> None:
    async def steps(callers: frozenset[PrincipalKind]) -> Outcome:
        await authenticator.refresh()
        exchange = rpc.begin(authenticator, AuthType.SPNEGO, PEER, callers)
        assert exchange is not None
        client = spnego.client("alice", "wonderland", protocol="negotiate", options=WRAPPED)
        token, outcome = client.step(), Challenge(b"")
        while token is not None and isinstance(outcome, Challenge):
            outcome = await exchange.step(token)
            token = client.step(outcome.data) if not isinstance(outcome, type(FAILED)) and outcome.data else None
        if isinstance(outcome, Granted):
            assert exchange.context.session_key == client.session_key
        return outcome

    assert kind_of(run(steps(ANYBODY))) is PrincipalKind.USER
    assert run(steps(SERVERS)) == FAILED
    assert rpc.begin(authenticator, 99, PEER) is None


@pytest.mark.parametrize("mechanism", [Mechanism.NTLM, Mechanism.NEGOTIATE])
def test_what_is_no_token_is_malformed(authenticator: Authenticator, mechanism: Mechanism) -> None:
    for token in (b"", b"garbage", bytes(70_000)):
        exchange = authenticator.begin(mechanism, Asking(PEER))
        assert exchange is not None and run(exchange.step(token)) == MALFORMED


def test_negotiate_comes_to_what_the_asking_allows(authenticator: Authenticator) -> None:
    token = spnego.client("HUB2$", "machine", protocol="negotiate", options=WRAPPED).step()
    for negotiable in (frozenset({Mechanism.KERBEROS}), frozenset({Mechanism.NTLM})):
        exchange = authenticator.begin(Mechanism.NEGOTIATE, Asking(PEER, negotiable=negotiable))
        assert exchange is not None
        assert isinstance(run(exchange.step(token)), Challenge) is (Mechanism.NTLM in negotiable)


def test_weak_keys_prove_who_it_is_and_seal_nothing() -> None:
    result = NtlmResult("alice", "alice", "", "", bytes(16), 0)

    async def lookup(name: str) -> bytes | None:
        return None

    for seals in (True, False):
        acceptor = NtlmAcceptorContext(NtlmAcceptor(HOST, by_hash(lookup)), seals)
        if seals:
            with pytest.raises(SecurityFailure):
                acceptor._begin(result, client=False)
        else:
            acceptor._begin(result, client=False)
            assert acceptor.complete and not acceptor.verify(b"list", bytes(16))


@pytest.mark.parametrize(
    ("host", "short"),
    [
        (HOST, "EXAMPLE"),
        (replace(HOST, netbios="CORP"), "CORP"),
        (replace(HOST, domain="a-very-long-domain.test"), "A-VERY-LONG-DOM"),
    ],
)
def test_a_domain_s_short_name(host: HostCredentials, short: str) -> None:
    assert host.short_domain == short


def test_the_log_knows_why_and_the_client_does_not(authenticator: Authenticator, people: People) -> None:
    run(authenticator.refresh())
    people.add("gone@example.test", "wonderland", enabled=False)
    people.add("old@example.test", "wonderland")
    del people.verifiers["old@example.test"]["nt"]
    expected = {
        ("alice", "looking-glass"): ("alice@example.test", "wrong password"),
        ("old", "wonderland"): ("old@example.test", "no NTLM secret: set the password again"),
        ("gone", "wonderland"): ("gone@example.test", "the account is disabled"),
        ("nobody", "wonderland"): ("", "no such account"),
    }
    for (user, password), told in expected.items():
        outcome = run(log_on(authenticator, Asking(PEER), user, password))
        assert isinstance(outcome, Denied) and outcome == FAILED and (outcome.account, outcome.reason) == told
    outcome = run(log_on(authenticator, Asking(PEER, callers=SERVERS), "alice", "wonderland"))
    assert isinstance(outcome, Denied) and outcome.reason == "not an account of those who may call"


def test_the_reason_of_an_answer_for_another_channel_is_no_password(authenticator: Authenticator) -> None:
    run(authenticator.refresh())
    other = channel_binding_hash(b"tls-server-end-point:theirs")
    outcome = run(log_on(authenticator, Asking(PEER, channel=CHANNEL), "alice", "wonderland", binding=other))
    assert isinstance(outcome, Denied) and outcome == FAILED and "another channel" in outcome.reason
