"""What secrets are proven against: the directory's verifiers, or a domain that judges; and who of the proven is a server.

covers: trust.membership, trust.ntlm.fields
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from postern.model.directory import Account, DirectoryUnavailable, NtlmLogon, NtlmVerdict
from postern.model.security import Mechanism, Peer, PrincipalKind, Seal
from postern.protocols.dcerpc.protection import AuthType
from postern.trust.acceptor import FAILED, TOO_MANY, UNAVAILABLE, Asking, Challenge, Denied, Granted
from postern.trust.authenticator import Authenticator, DomainLogons
from postern.trust.framing import rpc
from postern.trust.framing.sasl import begin
from postern.trust.host import HostCredentials
from postern.trust.membership import Membership
from postern.trust.ntlm.handshake import NtlmInitiator, Proof, matches, nt_hash
from postern.trust.passwords.backoff import Backoff
from postern.trust.passwords.proofs import DomainProofs
from tests.trust.people import PEER, People, run

TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")
SERVERS = "S-1-5-21-1-2-3-1109"


class Controller:
    """`Logons` of a domain in memory: judges by passwords, and says the name that it found."""

    def __init__(self) -> None:
        self.passwords = {"alice": "wonderland", "bob": "builder", "HUB1$": "machine"}
        self.status = 0
        self.away = False
        self.called: dict[str, str] = {}
        self.groups = frozenset({"S-1-5-21-1-2-3-513"})
        self.asked: list[str] = []
        self.addresses: list[str] = []

    async def password(self, account: Account, password: str, address: str) -> bool:
        self.asked.append(account.name)
        await asyncio.sleep(0)
        if self.away:
            raise DirectoryUnavailable
        return self.passwords.get(account.name.partition("@")[0]) == password

    async def ntlm(self, logon: NtlmLogon) -> NtlmVerdict:
        self.asked.append(logon.user)
        self.addresses.append(logon.address)
        await asyncio.sleep(0)
        if self.away:
            raise DirectoryUnavailable
        short = logon.user.partition("@")[0]
        known = self.passwords.get(short)
        proof = matches(nt_hash(known) if known else None, logon)
        if self.status or proof is None:
            return NtlmVerdict(self.status or 0xC000006A)
        return NtlmVerdict(0, self.called.get(short, short), proof.key, self.groups)


class Domain:
    def __init__(self) -> None:
        self.people, self.controller = People(), Controller()
        self.alice = self.people.add("alice@corp.test", "a verifier that nobody asks")
        self.people.add("bob@corp.test", "another", enabled=False)
        self.people.add("HUB1$", "a third")
        self.sid: str | None = SERVERS
        host = HostCredentials("HUB1", "corp.test", "CORP")
        proofs = DomainProofs(self.people, self.controller, "CORP")
        self.authenticator = Authenticator(self.people, host, domain=DomainLogons(proofs, self.group))

    async def group(self) -> str | None:
        return self.sid

    async def log_on(
        self, user: str, password: str, domain: str = "CORP", peer: Peer = PEER
    ) -> Challenge | Granted | Denied:
        server = begin(self.authenticator, "NTLM", Asking(peer, TLS))
        assert server is not None
        client = NtlmInitiator(user, domain, nt_hash(password))
        outcome = await server.step(client.negotiate())
        assert isinstance(outcome, Challenge)
        self.challenge = outcome.data
        return await server.step(client.authenticate(outcome.data))


@pytest.fixture
def domain() -> Domain:
    return Domain()


def test_a_domain_brings_ntlm_by_itself(domain: Domain) -> None:
    assert Mechanism.NTLM in domain.authenticator.available


@pytest.mark.parametrize(("user", "name"), [("alice", "CORP"), ("alice@corp.test", ""), ("ALICE", "corp")])
def test_the_controller_s_word_lets_in(domain: Domain, user: str, name: str) -> None:
    domain.controller.passwords["ALICE"] = "wonderland"
    outcome = run(domain.log_on(user, "wonderland", name))
    assert isinstance(outcome, Granted)
    assert (outcome.identity.name, outcome.identity.guid) == ("alice@corp.test", domain.alice.guid)
    assert outcome.identity.groups == domain.controller.groups
    assert "CORP".encode("utf-16-le") in domain.challenge and "HUB1".encode("utf-16-le") in domain.challenge


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("nobody", "x"), ("bob", "builder")])
def test_a_wrong_answer_an_unknown_name_and_a_disabled_account(domain: Domain, user: str, password: str) -> None:
    assert run(domain.log_on(user, password)) == FAILED


@pytest.mark.parametrize("status", [0xC0000072, 0xC0000234, 0xC0000071, 0xC0000224, 0xC0000193])
def test_what_the_controller_refuses_is_refused_at_once(domain: Domain, status: int) -> None:
    assert isinstance(run(domain.log_on("alice", "wonderland")), Granted)
    domain.controller.status = status
    assert run(domain.log_on("alice", "wonderland")) == FAILED


def test_whom_the_controller_found_must_be_whom_the_directory_named(domain: Domain) -> None:
    domain.people.add("mallory@corp.test", "x")
    domain.controller.called["alice"] = "mallory"
    assert run(domain.log_on("alice", "wonderland")) == FAILED


def test_an_answer_waits_under_the_network_that_it_came_from(domain: Domain) -> None:
    run(domain.log_on("alice", "wonderland", peer=Peer("192.0.2.7", 1)))
    run(domain.log_on("alice", "wonderland", peer=Peer("2001:db8::7:1", 1)))
    assert domain.controller.addresses == ["192.0.2.7", "2001:db8::/64"]


def test_no_controller_is_no_failure_of_the_caller(domain: Domain) -> None:
    domain.controller.away = True
    assert run(domain.log_on("alice", "wonderland")) == UNAVAILABLE
    assert run(domain.authenticator.password("alice", "wonderland", PEER)) == UNAVAILABLE
    domain.controller.away = False
    assert isinstance(run(domain.log_on("alice", "wonderland")), Granted)


def test_too_many_guesses_do_not_reach_the_controller(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    really = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: really(0))

    async def guesses() -> list[Challenge | Granted | Denied]:
        return await asyncio.gather(*(domain.log_on("alice", f"guess {i}") for i in range(40)))

    outcomes = run(guesses())
    assert TOO_MANY in outcomes and FAILED in outcomes
    assert len(domain.controller.asked) == outcomes.count(FAILED) < 15


def test_passwords_by_the_domain(domain: Domain) -> None:
    async def steps() -> None:
        judge = domain.authenticator
        for name in ("alice@corp.test", "CORP\\alice", "alice"):
            assert isinstance(await judge.password(name, "wonderland", PEER), Granted)
        assert domain.controller.asked == ["alice@corp.test"]  # the rest was remembered
        assert await judge.password("alice", "wrong", PEER) == FAILED
        for name in ("nobody", "bob@corp.test"):
            assert await judge.password(name, "builder", PEER) == FAILED
        assert domain.controller.asked == ["alice@corp.test", "alice@corp.test"]

    run(steps())


def test_a_right_password_counts_only_for_the_account_as_it_stands(domain: Domain) -> None:
    async def steps() -> None:
        judge = domain.authenticator
        assert isinstance(await judge.password("alice", "wonderland", PEER), Granted)
        domain.controller.passwords["alice"] = "changed"
        domain.people.set("alice@corp.test")
        assert await judge.password("alice", "wonderland", PEER) == FAILED
        domain.people.set("alice@corp.test", enabled=False)
        assert await judge.password("alice", "changed", PEER) == FAILED

    run(steps())


def test_refusals_of_nobody_take_as_long_as_others(domain: Domain) -> None:
    proofs = DomainProofs(domain.people, domain.controller, "CORP")
    proofs._refusal = 0.05

    async def steps() -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        guess = Backoff().enter("nobody", "192.0.2.1", 0.0)
        assert guess is not None and not await proofs.password(None, "x", guess)
        assert loop.time() - started >= 0.05

    run(steps())


# Servers


def test_a_machine_in_the_group_is_a_server_without_the_directory_s_word(domain: Domain) -> None:
    domain.controller.groups |= {SERVERS}
    outcome = run(domain.log_on("HUB1$", "machine"))
    assert isinstance(outcome, Granted) and outcome.identity.kind is PrincipalKind.SERVER


def test_a_user_in_the_group_is_none(domain: Domain) -> None:
    domain.controller.groups |= {SERVERS}
    outcome = run(domain.log_on("alice", "wonderland"))
    assert isinstance(outcome, Granted) and outcome.identity.kind is PrincipalKind.USER


def test_the_group_is_looked_up_once_and_again_only_while_it_is_missing() -> None:
    now, asked, answers = [0.0], [], [DirectoryUnavailable(), None, SERVERS]

    async def group() -> str | None:
        asked.append(now[0])
        answer = answers[len(asked) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    membership = Membership(group, clock=lambda: now[0])
    machine = Account(uuid4(), "HUB1$", True, False, "")

    async def kind() -> PrincipalKind:
        return (await membership.identity(machine, Mechanism.KERBEROS, frozenset({SERVERS}))).kind

    for seconds, expected in (
        (0, "user"),
        (1, "user"),
        (61, "user"),
        (122, "server"),
        (123, "server"),
        (500, "server"),
    ):
        now[0] = seconds
        assert run(kind()) == expected
    assert asked == [0, 61, 122]


def test_without_groups_the_directory_s_word_counts() -> None:
    for known in (True, False):
        machine = Account(uuid4(), "HUB1$", True, known, "")
        identity = run(Membership().identity(machine, Mechanism.KERBEROS))
        assert (identity.kind is PrincipalKind.SERVER) == known


def test_rpc_asks_the_domain_about_machines_only(domain: Domain) -> None:
    domain.controller.groups |= {SERVERS}

    async def log_on(user: str, password: str) -> Granted | Denied:
        exchange, client = (
            rpc.begin(domain.authenticator, AuthType.NTLM, PEER),
            NtlmInitiator(user, "CORP", nt_hash(password)),
        )
        assert exchange is not None
        challenge = await exchange.step(client.negotiate())
        assert isinstance(challenge, Challenge)
        outcome = await exchange.step(client.authenticate(challenge.data))
        assert not isinstance(outcome, Challenge)
        if isinstance(outcome, Granted):
            assert client.result is not None and exchange.context.session_key == client.result.session_key
        return outcome

    outcome = run(log_on("HUB1$", "machine"))
    assert isinstance(outcome, Granted)
    assert outcome.identity.kind is PrincipalKind.SERVER and SERVERS in outcome.identity.groups
    outcome = run(log_on("HUB1$", "wrong"))
    assert outcome == FAILED
    assert isinstance(outcome, Denied) and outcome.reason == "the domain controller refused it with NTSTATUS 0xc000006a"
    assert run(log_on("alice", "wonderland")) == FAILED
    assert domain.controller.asked == ["HUB1$", "HUB1$"], "a user's answer is judged by nobody"
    domain.people.set("HUB1$", enabled=False)
    assert run(log_on("HUB1$", "machine")) == FAILED
    domain.people.set("HUB1$")
    domain.controller.groups -= {SERVERS}
    outcome = run(log_on("HUB1$", "machine"))
    assert outcome == FAILED and outcome.reason == "not an account of those who may call"


def test_a_proof_s_key_is_in_no_text() -> None:
    assert "secret" not in repr(Proof(b"secret"))
