"""SASL's server side: what each mechanism takes, and that nothing a peer sends does more than fail. covers: mechanisms"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import spnego
from hypothesis import given, settings
from hypothesis import strategies as st

from postern.model.security import Identity, Mechanism, PrincipalKind, Seal
from postern.trust.acceptor import FAILED, MALFORMED, Acceptor, Asking, Challenge, Denied, Granted
from postern.trust.authenticator import Authenticator
from postern.trust.framing.sasl import begin
from postern.trust.host import HostCredentials
from postern.trust.sasl.mechanisms import SaslExternal
from tests.trust.people import PEER, People, run

TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")


@pytest.fixture
def people() -> People:
    made = People()
    made.add("alice@example.test", "wonderland")
    made.add("gone@example.test", "wonderland", enabled=False)
    made.enabled = {"nt", "scram-sha-256"}
    return made


@pytest.fixture
def authenticator(people: People) -> Iterator[Authenticator]:
    made = Authenticator(people, HostCredentials("mail", "example.test"), people)
    run(made.refresh())
    yield made
    made.close()


def start(authenticator: Authenticator, name: str) -> Acceptor:
    server = begin(authenticator, name, Asking(PEER, TLS))
    assert server is not None
    return server


def talk(server: Acceptor, *responses: bytes | None) -> Challenge | Granted | Denied:
    async def steps() -> Challenge | Granted | Denied:
        for response in responses[:-1]:
            assert isinstance(await server.step(response), Challenge)
        return await server.step(responses[-1])

    return run(steps())


class TestPlain:
    @pytest.mark.parametrize(
        "responses",
        [
            (b"\0alice@example.test\0wonderland",),
            (None, b"\0alice\0wonderland"),
            (None, b"alice@example.test\0alice\0wonderland"),
            (b"alice\0alice\0wonderland",),
        ],
    )
    def test_it_grants(self, authenticator: Authenticator, responses: tuple[bytes | None, ...]) -> None:
        outcome = talk(start(authenticator, "plain"), *responses)
        assert isinstance(outcome, Granted)
        assert (outcome.identity.name, outcome.identity.mechanism) == ("alice@example.test", Mechanism.BASIC)

    @pytest.mark.parametrize(
        ("response", "outcome"),
        [
            (b"\0alice@example.test\0wrong", FAILED),
            (b"bob@example.test\0alice@example.test\0wonderland", FAILED),  # acting for another
            (b"\0gone@example.test\0wonderland", FAILED),
            (b"\0nobody@example.test\0wonderland", FAILED),
            (b"alice@example.test\0wonderland", MALFORMED),
            (b"\0alice@example.test\0wonder\0land", MALFORMED),
            (b"\0\0wonderland", MALFORMED),
            (b"\0alice@example.test\0", MALFORMED),
            (b"\0alice@example.test\0\xff\xfe", MALFORMED),
            (b"\0" + b"a" * 70_000 + b"\0x", MALFORMED),
        ],
    )
    def test_it_denies(self, authenticator: Authenticator, response: bytes, outcome: Denied) -> None:
        assert talk(start(authenticator, "PLAIN"), response) == outcome


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "NTLM", "SCRAM-SHA-256"])
def test_an_empty_initial_response_is_a_response(authenticator: Authenticator, mechanism: str) -> None:
    """`AUTH PLAIN =` is not `AUTH PLAIN`: it hears no second challenge (RFC 4954 section 4)."""
    assert talk(start(authenticator, mechanism), b"") == MALFORMED
    assert isinstance(talk(start(authenticator, mechanism), None), Challenge)
    assert talk(start(authenticator, mechanism), None, b"") == MALFORMED


class TestLogin:
    def test_it_asks_for_name_and_password(self, authenticator: Authenticator) -> None:
        async def steps() -> None:
            server = start(authenticator, "LOGIN")
            assert await server.step(None) == Challenge(b"Username:")
            assert await server.step(b"alice@example.test") == Challenge(b"Password:")
            assert isinstance(await server.step(b"wonderland"), Granted)

        run(steps())

    def test_the_name_may_come_first(self, authenticator: Authenticator) -> None:
        assert isinstance(talk(start(authenticator, "LOGIN"), b"alice@example.test", b"wonderland"), Granted)

    def test_it_denies(self, authenticator: Authenticator) -> None:
        assert talk(start(authenticator, "LOGIN"), None, b"alice@example.test", b"wrong") == FAILED
        assert talk(start(authenticator, "LOGIN"), None, b"alice@example.test", b"") == FAILED
        assert talk(start(authenticator, "LOGIN"), b"alice@example.test", b"") == FAILED
        assert talk(start(authenticator, "LOGIN"), None, b"") == MALFORMED
        assert talk(start(authenticator, "LOGIN"), None, b"\xff") == MALFORMED


class TestNtlm:
    """The client is pyspnego's."""

    def exchange(self, authenticator: Authenticator, user: str, password: str, initial: bool = True) -> object:
        async def steps() -> object:
            client = spnego.client(user, password, protocol="ntlm")
            server = start(authenticator, "NTLM")
            if not initial:
                assert await server.step(None) == Challenge(b"")
            challenge = await server.step(client.step())
            assert isinstance(challenge, Challenge)
            return await server.step(client.step(challenge.data))

        return run(steps())

    @pytest.mark.parametrize("user", ["alice@example.test", "EXAMPLE\\alice", "example.test\\ALICE", "alice"])
    @pytest.mark.parametrize("initial", [True, False])
    def test_it_grants(self, authenticator: Authenticator, user: str, initial: bool) -> None:
        outcome = self.exchange(authenticator, user, "wonderland", initial)
        assert isinstance(outcome, Granted)
        assert (outcome.identity.name, outcome.identity.mechanism) == ("alice@example.test", Mechanism.NTLM)

    @pytest.mark.parametrize(
        ("user", "password"),
        [("alice@example.test", "wrong"), ("gone@example.test", "wonderland"), ("nobody", "wonderland")],
    )
    def test_it_denies(self, authenticator: Authenticator, user: str, password: str) -> None:
        assert self.exchange(authenticator, user, password) == FAILED

    def test_a_user_without_an_nt_hash(self, authenticator: Authenticator, people: People) -> None:
        people.set("alice@example.test", "through the glass")
        assert self.exchange(authenticator, "alice@example.test", "through the glass") == FAILED

    def test_an_empty_password_does_not_pass_for_a_missing_hash(
        self, authenticator: Authenticator, people: People
    ) -> None:
        people.verifiers["alice@example.test"] = {}
        assert self.exchange(authenticator, "alice@example.test", "") == FAILED

    def test_guesses_are_counted(self, authenticator: Authenticator) -> None:
        for number in range(5):
            self.exchange(authenticator, "alice@example.test", f"guess {number}")
        assert not authenticator._backoff.is_free("alice@example.test", PEER.host, authenticator._clock())

    def test_an_answer_cannot_be_said_twice(self, authenticator: Authenticator) -> None:
        async def steps() -> None:
            client = spnego.client("alice@example.test", "wonderland", protocol="ntlm")
            server = start(authenticator, "NTLM")
            challenge = await server.step(client.step())
            assert isinstance(challenge, Challenge)
            answer = client.step(challenge.data)
            other = start(authenticator, "NTLM")
            await other.step(spnego.client("alice", "x", protocol="ntlm").step())
            assert await other.step(answer) == FAILED
            assert isinstance(await server.step(answer), Granted)
            assert isinstance(await server.step(answer), Denied)

        run(steps())


class TestExternal:
    EDGE = Identity(PrincipalKind.SERVER, "EDGE1$", Mechanism.DIRECT_TRUST)

    def test_the_certificate_says_who(self) -> None:
        assert talk(SaslExternal(self.EDGE), b"") == Granted(self.EDGE)
        assert talk(SaslExternal(self.EDGE), None, b"") == Granted(self.EDGE)
        assert talk(SaslExternal(self.EDGE), b"edge1$") == Granted(self.EDGE)

    def test_and_nobody_else(self) -> None:
        assert talk(SaslExternal(self.EDGE), b"EDGE2$") == FAILED
        assert talk(SaslExternal(self.EDGE), b"\xff") == MALFORMED


_GARBAGE = st.binary(max_size=200) | st.sampled_from(
    [
        b"n,,n=alice,r=" + b"a" * 20,
        b"\0alice\0wonderland",
        b"NTLMSSP\0\1\0\0\0" + bytes(8),
        b"NTLMSSP\0\3\0\0\0" + bytes(60),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PLAIN", "LOGIN", "NTLM", "SCRAM-SHA-256"]), st.lists(st.none() | _GARBAGE, max_size=5))
def test_garbage_only_fails(mechanism: str, responses: list[bytes | None]) -> None:
    people = People()
    people.enabled = {"nt", "scram-sha-256"}

    async def steps() -> None:
        authenticator = Authenticator(people, policy=people)
        await authenticator.refresh()
        server = start(authenticator, mechanism)
        for response in responses:
            outcome = await server.step(response)
            assert not isinstance(outcome, Granted)
            if isinstance(outcome, Denied):
                break
        authenticator.close()

    run(steps())


def test_truncated_and_bent_ntlm_only_fails(authenticator: Authenticator) -> None:
    async def steps() -> None:
        client = spnego.client("alice@example.test", "wonderland", protocol="ntlm")
        server = start(authenticator, "NTLM")
        challenge = await server.step(client.step())
        assert isinstance(challenge, Challenge)
        answer = client.step(challenge.data)
        assert answer is not None
        for at in range(0, len(answer), 7):
            for bent in (answer[:at], answer[:at] + bytes([answer[at] ^ 0x55]) + answer[at + 1 :]):
                other = start(authenticator, "NTLM")
                await other.step(spnego.client("alice", "x", protocol="ntlm").step())
                authenticator._backoff = type(authenticator._backoff)()
                assert isinstance(await other.step(bent), Denied)

    run(steps())
