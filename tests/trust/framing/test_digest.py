"""Digest: the examples of RFC 7616, a client that nobody here wrote (httpx), nonces, and whoever shows the wrong thing.

covers: trust.passwords.realm_hash
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.organization import Profile
from postern.model.security import Mechanism, Peer, Seal
from postern.paths.guard import Guard
from postern.paths.table import settle
from postern.trust.acceptor import FAILED, MALFORMED, SERVERS, UNAVAILABLE, Asking, Cause, Granted
from postern.trust.authenticator import Authenticator
from postern.trust.framing.digest import (
    LIFE,
    MAX_FIELD,
    MAX_PARAMETERS,
    STALE,
    DigestAuthentication,
    DigestKeeping,
    Nonces,
    parse_digest,
)
from postern.trust.framing.http import Authorized, HttpAuthentication, Unauthorized
from postern.trust.host import HostCredentials
from postern.trust.passwords.realm_hash import realm_hash
from tests.trust.kept import Client, Kept
from tests.trust.people import PEER, People, run

REALM = "mail of example.test"
ASKING = Asking(PEER, Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384"))
ALICE, DOERTE = "alice@example.test", "d\u00f6rte@example.test"
TARGET = b"/a?b=c"
ROW = settle(Profile.PRACTICAL)["autodiscover"]
SHA_256, MD5 = 0, 1

EXAMPLE = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={algorithm}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{response}", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


class Server:
    """A server on one connection after the other. `digest` is on the connection that is there now."""

    def __init__(self) -> None:
        self.people = People()
        self.kept = Kept(REALM)
        for name, password in ((ALICE, "wonderland"), (DOERTE, "gr\u00fc\u00df: g\u00f6tt")):
            self.people.add(name, password)
            self.kept.add(name, password, name.partition("@")[0])
        self.authenticator = Authenticator(self.people, HostCredentials("mail", "example.test"))
        self.clock = Clock()
        self.keeping = DigestKeeping(self.kept, Nonces(clock=self.clock))
        self.connect()

    def connect(self) -> None:
        self.digest = DigestAuthentication(self.authenticator, self.keeping)

    def challenge(self, algorithm: int = SHA_256) -> str:
        return self.digest.challenges(PEER)[algorithm]

    def judge(self, value: bytes, method: str = "GET", target: bytes = TARGET, asking: Asking = ASKING) -> Any:
        return run(self.digest.judge(value, method, target, asking))


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.authenticator.close()


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    credentials = parse_digest(EXAMPLE.format(algorithm=algorithm, response=response).encode())
    assert credentials is not None and (credentials.name, credentials.uri) == ("Mufasa", "/dir/index.html")
    known = realm_hash(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
    assert credentials.is_right(known, "GET") and not credentials.is_right(known, "HEAD")
    assert response not in repr(credentials)


def _parsed(*changes: tuple[str, str]) -> Any:
    value = EXAMPLE.format(algorithm="MD5", response="0" * 32)
    for old, new in changes:
        assert old in value
        value = value.replace(old, new)
    return parse_digest(value.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Digest ", "Basic "),
        ("qop=auth", "qop=auth-int"),
        (", qop=auth", ""),
        ("algorithm=MD5", "algorithm=MD5-sess"),
        ("algorithm=MD5", "algorithm=SHA-512-256"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("nc=00000001, ", ""),
        ("nc=00000001", "nc=00000001, NC=00000002"),
        ('username="Mufasa", ', ""),
        ('"Mufasa"', '""'),
        ('"Mufasa"', "\"Mufasa\", username*=UTF-8''Mufasa"),
        ('username="Mufasa"', "username*=latin1''Mufasa"),
        ('username="Mufasa"', "username*=UTF-8''%ff"),
        ("qop=auth", "qop=auth, userhash=true"),
        ('realm="http-auth@example.org", ', ""),
        ('"Mufasa", ', '"Mufasa" '),
        ('"Mufasa"', '"Mufasa'),
        ("username=", "user name="),
        ("opaque=", ", ".join(f"a{number}=b" for number in range(MAX_PARAMETERS)) + ", opaque="),
        ("opaque=", f'a="{"b" * MAX_FIELD}", opaque='),
    ],
)
def test_fields_that_are_not_served(old: str, new: str) -> None:
    assert _parsed() is not None and _parsed((old, new)) is None


def test_names_come_as_they_were_meant() -> None:
    for written, name in (
        ('username="M\\"u\\\\f"', 'M"u\\f'),
        ('username="d\u00f6rte"', "d\u00f6rte"),
        ("username*=UTF-8''d%C3%B6rte", "d\u00f6rte"),
        ("username=Mufasa", "Mufasa"),
    ):
        assert _parsed(('username="Mufasa"', written)).name == name
    assert _parsed(("algorithm=MD5, ", "")).algorithm == "MD5", "RFC 7616 section 3.4"


@pytest.mark.parametrize("algorithm", [SHA_256, MD5])
@pytest.mark.parametrize("name", [ALICE, "alice"])
def test_a_client_proves_each_of_its_requests(server: Server, algorithm: int, name: str) -> None:
    client = Client(name, "wonderland")
    challenge = server.challenge(algorithm)
    outcomes = [server.judge(client.answer(challenge)) for _ in range(5)]
    assert isinstance(outcomes[0], Granted)
    identity = outcomes[0].identity
    assert (identity.name, identity.mechanism) == (ALICE, Mechanism.DIGEST)
    assert all(outcome.identity is identity for outcome in outcomes)
    assert (server.kept.asked, server.people.asked) == (1, 1), "the rest needs nobody"
    posted = client.answer(challenge, "POST", "/b")
    assert isinstance(server.judge(posted, "POST", b"/b"), Granted)


def test_names_and_passwords_beyond_ascii(server: Server) -> None:
    client = Client(DOERTE, "gr\u00fc\u00df: g\u00f6tt")
    assert isinstance(server.judge(client.answer(server.challenge())), Granted)


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "guess"), ("nobody", "wonderland"), ("ALICE", "wonderland"), ("a" * 600, "x")]
)
def test_whoever_does_not_know_the_password(server: Server, name: str, password: str) -> None:
    """A hash is kept for a spelling, so another one is as good as a wrong password."""
    assert server.judge(Client(name, password).answer(server.challenge())) == FAILED


def test_a_disabled_account_proves_nothing(server: Server) -> None:
    client, challenge = Client("alice", "wonderland"), server.challenge()
    server.people.set(ALICE, enabled=False)
    assert server.judge(client.answer(challenge)) == FAILED
    assert server.kept.asked == 0


def test_the_log_knows_a_missing_hash_from_a_wrong_password(server: Server) -> None:
    reasons = []
    for name, password in (("alice", "guess"), ("ALICE", "wonderland"), ("nobody", "wonderland")):
        reasons.append(server.judge(Client(name, password).answer(server.challenge())).reason)
    assert reasons == ["wrong password", "no Digest secret: set the password again", "no such account"]


def test_another_user_on_a_proven_connection_has_to_prove_himself(server: Server) -> None:
    challenge = server.challenge()
    assert isinstance(server.judge(Client("alice", "wonderland").answer(challenge)), Granted)
    other = server.challenge()
    assert server.judge(Client("d\u00f6rte", "wonderland").answer(other)) == FAILED
    assert server.judge(Client("alice", "guess").answer(other)) == FAILED
    granted = server.judge(Client("d\u00f6rte", "gr\u00fc\u00df: g\u00f6tt").answer(other))
    assert granted.identity.name == DOERTE


def test_an_answer_is_for_one_request(server: Server) -> None:
    client, challenge = Client("alice", "wonderland"), server.challenge()
    value = client.answer(challenge)
    assert server.judge(value, "DELETE") == FAILED
    assert server.judge(value, target=b"/other") == MALFORMED
    assert isinstance(server.judge(value), Granted)
    assert server.judge(value) is STALE, "not twice"
    whole = client.answer(challenge).replace(b'uri="/', b'uri="http://mail.example.test/')
    assert server.judge(whole) == FAILED, "the address is right, the response is for another text"
    assert server.judge(client.answer(challenge).replace(b"mail of", b"mall of")) == MALFORMED


def test_counts_rise_and_nonces_do_not_get_older(server: Server) -> None:
    client, other = Client("alice", "wonderland"), Client("alice", "wonderland")
    old, new = server.challenge(), server.challenge()
    first, second, third = (client.answer(old) for _ in range(3))
    assert isinstance(server.judge(second), Granted)
    assert server.judge(first) is STALE
    assert isinstance(server.judge(third), Granted)
    assert isinstance(server.judge(other.answer(new)), Granted)
    assert server.judge(client.answer(old)) is STALE
    assert isinstance(server.judge(other.answer(new)), Granted)


def test_a_nonce_has_an_end_and_an_owner(server: Server) -> None:
    client, challenge = Client("alice", "guess"), server.challenge()
    elsewhere = replace(ASKING, peer=Peer("192.0.2.2", 40_000))
    assert server.judge(client.answer(challenge), asking=elsewhere) is STALE
    foreign = Nonces(clock=server.clock).make(PEER)
    nonce = challenge.partition('nonce="')[2].partition('"')[0]
    for wrong in (foreign, nonce[:-1], "", "\u00e9" * 32, "A" * 32, nonce + "A"):
        assert server.judge(client.answer(challenge).replace(nonce.encode(), wrong.encode())) is STALE
    server.clock.now += LIFE + 1
    assert server.judge(client.answer(challenge)) is STALE
    assert server.people.asked == 0, "nothing was judged, and nothing is told of the password"
    server.clock.now -= 2 * LIFE
    assert server.judge(client.answer(challenge)) is STALE, "from the future"


def test_a_client_that_connects_anew_for_each_request_gets_in(server: Server) -> None:
    client, challenge = Client("alice", "wonderland"), server.challenge()
    for _ in range(3):
        server.connect()
        assert isinstance(server.judge(client.answer(challenge)), Granted)


def test_where_nothing_is_decided(server: Server) -> None:
    client, challenge = Client("alice", "wonderland"), server.challenge()
    server.kept.away = True
    assert server.judge(client.answer(challenge)) == UNAVAILABLE
    asked = server.people.asked
    assert server.judge(client.answer(challenge), asking=replace(ASKING, callers=SERVERS)) == MALFORMED
    assert server.people.asked == asked


def test_guesses_wait(server: Server) -> None:
    outcomes = []
    guess = server.authenticator._backoff.enter
    waits: list[float] = []

    def enter(*args: Any) -> Any:
        entered = guess(*args)
        waits.append(entered.wait if entered is not None else -1.0)
        if entered is not None:
            entered.wait = 0.0
        return entered

    server.authenticator._backoff.enter = enter  # type: ignore[method-assign]  # the wait itself is tested elsewhere
    for number in range(7):
        outcomes.append(server.judge(Client("alice", f"guess {number}").answer(server.challenge())))
    assert set(outcomes) == {FAILED} and waits[0] == 0.0 and waits[-1] > 0.0


# On a connection of HTTP


def ask(http: HttpAuthentication, value: bytes | None, guard: Guard, method: str = "GET") -> Any:
    return run(http.authorize(value, guard, ASKING, method, TARGET))


def test_the_row_says_whether_there_is_digest(server: Server) -> None:
    http = HttpAuthentication(server.authenticator, REALM, server.keeping)
    guard = Guard([ROW], frozenset({Mechanism.BASIC, Mechanism.DIGEST, Mechanism.NTLM}))
    answer = ask(http, None, guard)
    assert [value.partition(" ")[0] for value in answer.challenges] == [
        "Basic",
        "Digest",
        "Digest",
        "Negotiate",
        "NTLM",
    ]
    client = Client("alice", "wonderland")
    granted = ask(http, client.answer(answer.challenges[1]), guard)
    assert isinstance(granted, Authorized) and granted.identity.mechanism is Mechanism.DIGEST
    assert isinstance(ask(http, None, guard), Unauthorized), "the next request has to say it again"
    without = Guard([ROW], frozenset({Mechanism.BASIC}))
    refused = ask(http, client.answer(answer.challenges[1]), without)
    assert refused.failure is not None and refused.failure.cause is Cause.UNSUPPORTED
    assert [value.partition(" ")[0] for value in refused.challenges] == ["Basic"]


def test_what_is_stale_is_no_failure(server: Server) -> None:
    http = HttpAuthentication(server.authenticator, REALM, server.keeping)
    guard = Guard([ROW], frozenset({Mechanism.DIGEST}))
    client = Client("alice", "wonderland")
    challenge = ask(http, None, guard).challenges[0]
    server.clock.now += LIFE + 1
    answer = ask(http, client.answer(challenge), guard)
    assert answer.failure is None and answer.status == 401 and all("stale=true" in value for value in answer.challenges)
    assert isinstance(ask(http, client.answer(answer.challenges[0]), guard), Authorized)
    wrong = ask(http, Client("alice", "guess").answer(ask(http, None, guard).challenges[0]), guard)
    assert wrong.failure is not None and wrong.failure.cause is Cause.FAILED
    assert not any("stale" in value for value in wrong.challenges)


def test_without_hashes_there_is_no_digest(server: Server) -> None:
    http = HttpAuthentication(server.authenticator, REALM)
    guard = Guard([ROW], frozenset({Mechanism.BASIC, Mechanism.DIGEST}))
    assert [value.partition(" ")[0] for value in ask(http, None, guard).challenges] == ["Basic"]
    assert isinstance(ask(http, Client("alice", "wonderland").answer(server.challenge()), guard), Unauthorized)


@given(st.binary(max_size=200) | st.text('Digest usrnamec=",\\x0').map(str.encode))
def test_nothing_raises(value: bytes) -> None:
    parse_digest(value)
    parse_digest(b"Digest " + value)
