"""SCRAM-SHA-256 against a client nobody here wrote (scramp), and by the words of RFC 5802 and 7677."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator

import pytest
from scramp import ScramClient, ScramException

from postern.model.security import Channel, Mechanism, Seal
from postern.trust.acceptor import FAILED, UNAVAILABLE, Asking, Challenge, Denied, Granted
from postern.trust.authenticator import Authenticator
from postern.trust.framing.sasl import begin
from postern.trust.passwords.verifiers import scram_keys
from postern.trust.sasl import scram as sasl_scram
from postern.trust.sasl.mechanisms import MALFORMED
from postern.trust.sasl.scram import UNBOUND, SaslScram
from postern.verify.sasl_client import Credentials, exchange_for
from tests.trust.people import PEER, People, run

TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")


@pytest.fixture
def people() -> People:
    made = People()
    made.add("alice@example.test", "wonderland")
    made.add("gone@example.test", "wonderland", enabled=False)
    made.add("홍길동@example.test", "비밀번호예요")
    made.add("a,b=c@example.test", "wonderland")
    return made


@pytest.fixture
def authenticator(people: People) -> Iterator[Authenticator]:
    made = Authenticator(people, policy=people)
    yield made
    made.close()


def exchange(
    authenticator: Authenticator, user: str, password: str, change: Callable[[str], str] = lambda text: text
) -> Granted | Denied | Challenge:
    """scramp's client against our server; `change` bends the client's last message."""

    async def steps() -> Granted | Denied | Challenge:
        client = ScramClient(["SCRAM-SHA-256"], user, password)
        server = SaslScram(authenticator, PEER)
        challenge = await server.step(client.get_client_first().encode())
        if not isinstance(challenge, Challenge):
            return challenge
        client.set_server_first(challenge.data.decode())
        outcome = await server.step(change(client.get_client_final()).encode())
        if isinstance(outcome, Granted):
            client.set_server_final(outcome.data.decode())  # raises if the server does not know the password's keys
        return outcome

    return run(steps())


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("alice@example.test", "wonderland"),
        ("홍길동@example.test", "비밀번호예요"),
        ("a,b=c@example.test", "wonderland"),
    ],
)
def test_both_sides_prove_themselves(authenticator: Authenticator, user: str, password: str) -> None:
    outcome = exchange(authenticator, user, password)
    assert isinstance(outcome, Granted)
    assert (outcome.identity.name, outcome.identity.mechanism) == (user, Mechanism.SCRAM)


@pytest.mark.parametrize(
    ("user", "password"),
    [("alice@example.test", "wrong"), ("gone@example.test", "wonderland"), ("nobody@example.test", "wonderland")],
)
def test_it_denies(authenticator: Authenticator, user: str, password: str) -> None:
    assert exchange(authenticator, user, password) == FAILED


def _with_proof(text: str, proof: bytes) -> str:
    return text.rpartition(",p=")[0] + ",p=" + base64.b64encode(proof).decode()


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (lambda text: text.replace("c=biws", "c=eSws"), MALFORMED),  # another header than it began with
        (lambda text: text.replace(",r=", ",r=x"), FAILED),
        (lambda text: text.replace(",p=", ",x=y,p="), FAILED),  # what the proof does not cover
        (lambda text: _with_proof(text, bytes(32)), FAILED),
        (lambda text: _with_proof(text, bytes(31)), MALFORMED),
        (lambda text: _with_proof(text, b""), MALFORMED),
        (lambda text: text.rpartition(",p=")[0], MALFORMED),
        (lambda text: text[:-4] + "====", MALFORMED),
        (lambda text: text[:-4] + "é===", MALFORMED),
        (lambda text: text.replace("c=biws", "c=é"), MALFORMED),
        (lambda text: "", MALFORMED),
    ],
)
def test_a_last_message_that_is_not_right(
    authenticator: Authenticator, change: Callable[[str], str], outcome: Denied
) -> None:
    assert exchange(authenticator, "alice@example.test", "wonderland", change) == outcome


BOUND = Channel(b"tls-server-end-point:" + b"certificate", exported=b"tls-exporter:" + b"exported")


def bound_exchange(authenticator: Authenticator, binding: bytes, channel: Channel) -> Granted | Denied | Challenge:
    """The verifier's client, which knows every type; scramp and GNU SASL dial in tests/services/test_channel_binding.py."""

    async def steps() -> Granted | Denied | Challenge:
        who = Credentials("alice@example.test", "wonderland")
        client = exchange_for("SCRAM-SHA-256-PLUS", who, "smtp", "localhost", binding)
        server = begin(authenticator, "SCRAM-SHA-256-PLUS", Asking(PEER, TLS, channel))
        assert server is not None
        outcome = await server.step(client(b""))
        while isinstance(outcome, Challenge):
            outcome = await server.step(client(outcome.data))
        return outcome

    return run(steps())


@pytest.mark.parametrize(
    ("kind", "data", "channel", "granted"),
    [
        ("tls-server-end-point", b"certificate", BOUND, True),
        ("tls-exporter", b"exported", BOUND, True),
        ("tls-server-end-point", b"another", BOUND, False),
        ("tls-server-end-point", b"exported", BOUND, False),
        ("tls-exporter", b"another", BOUND, False),
        ("tls-exporter", b"exported", Channel(BOUND.binding), False),  # a TLS layer that cannot export
        ("tls-exporter", b"", Channel(BOUND.binding), False),
        ("tls-unique", b"", BOUND, False),
    ],
)
def test_a_proof_is_good_on_the_channel_that_it_is_bound_to(
    authenticator: Authenticator, people: People, kind: str, data: bytes, channel: Channel, granted: bool
) -> None:
    people.enabled = {"scram-sha-256"}
    run(authenticator.refresh())
    outcome = bound_exchange(authenticator, f"{kind}:".encode() + data, channel)
    if granted:
        assert isinstance(outcome, Granted) and outcome.identity.mechanism is Mechanism.SCRAM
    else:
        assert outcome == UNBOUND
        # Nothing was guessed: with the right password it would have been the same answer.
        assert authenticator._backoff.is_free("alice@example.test", PEER.host, authenticator._clock())


@pytest.mark.parametrize(
    ("first", "plus", "outcome"),
    [
        (b"y,,n=alice@example.test,r=0123456789", False, UNBOUND),  # -PLUS was shown: RFC 5802 section 6
        (b"n,,n=alice@example.test,r=0123456789", False, None),
        (b"p=tls-server-end-point,,n=alice@example.test,r=0123456789", False, MALFORMED),
        (b"n,,n=alice@example.test,r=0123456789", True, MALFORMED),
        (b"y,,n=alice@example.test,r=0123456789", True, MALFORMED),
        (b"p=,,n=alice@example.test,r=0123456789", True, UNBOUND),
        (b"p=tls-server-end-point:cert,,n=alice@example.test,r=0123456789", True, UNBOUND),
        (b"p=tls-server-end-point,,n=alice@example.test,r=0123456789", True, None),
    ],
)
def test_the_flag_says_what_the_client_saw(
    authenticator: Authenticator, first: bytes, plus: bool, outcome: Denied | None
) -> None:
    found = run(SaslScram(authenticator, PEER, BOUND, plus).step(first))
    assert isinstance(found, Challenge) if outcome is None else found == outcome


@pytest.mark.parametrize(
    "first",
    [
        b"p=tls-unique,,n=alice,r=0123456789",  # channel binding without -PLUS
        b"x,,n=alice,r=0123456789",
        b"n,a=bob,n=alice,r=0123456789",
        b"n,b=alice,n=alice,r=0123456789",
        b"n,,m=ext,n=alice,r=0123456789",
        b"n,,n=al=ice,r=0123456789",
        b"n,,n=,r=0123456789",
        b"n,,n=alice,r=",
        b"n,,n=alice",
        b"n,,r=0123456789,n=alice",
        b"n,,n=alice\0,r=0123456789",
        b"n,,n=\xff,r=0123456789",
        b"n,,n=" + b"a" * 3000 + b",r=0123456789",
        b"alice",
    ],
)
def test_a_first_message_that_is_not_right(authenticator: Authenticator, first: bytes) -> None:
    assert run(SaslScram(authenticator, PEER).step(first)) == MALFORMED


def test_rfc_7677_section_3(authenticator: Authenticator, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    people.add("user", "pencil")
    keys = scram_keys("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    people.verifiers["user"]["scram-sha-256"] = str(keys)
    nonce = base64.b64decode("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".translate({ord(c): "A" for c in "%)$"}) + "==")
    monkeypatch.setattr(sasl_scram.secrets, "token_bytes", lambda size: nonce)
    monkeypatch.setattr(
        sasl_scram.base64, "b64encode", lambda data: b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0" if data is nonce else _b64(data)
    )

    async def steps() -> None:
        server = SaslScram(authenticator, PEER)
        assert await server.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == Challenge(
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        )
        outcome = await server.step(
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        )
        assert isinstance(outcome, Granted)
        assert outcome.data == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

    run(steps())


_b64 = base64.b64encode


def _salt(authenticator: Authenticator, name: str) -> bytes:
    challenge = run(SaslScram(authenticator, PEER).step(f"n,,n={name},r=0123456789".encode()))
    assert isinstance(challenge, Challenge)
    return challenge.data.partition(b",")[2]


def test_a_name_that_nobody_has_looks_like_any_other(people: People) -> None:
    """In every process: a salt that changes from one to the next would tell."""
    one, other = (Authenticator(people, salt_key=b"k" * 32) for _ in range(2))
    assert _salt(one, "nobody") == _salt(other, "nobody") == _salt(one, "NOBODY") != _salt(one, "noone")
    assert len(_salt(one, "nobody")) == len(_salt(one, "alice"))
    one.close()
    other.close()


def test_no_answer_from_the_directory(authenticator: Authenticator, people: People) -> None:
    people.away = True
    assert exchange(authenticator, "alice@example.test", "wonderland") == UNAVAILABLE


def test_guesses_are_counted(authenticator: Authenticator) -> None:
    for number in range(5):
        exchange(authenticator, "alice@example.test", f"guess {number}")
    assert not authenticator._backoff.is_free("alice@example.test", PEER.host, authenticator._clock())


def test_a_server_that_knows_nothing_is_noticed() -> None:
    """The control: scramp does check what the server says last."""
    client = ScramClient(["SCRAM-SHA-256"], "alice", "wonderland")
    client.get_client_first()
    client.set_server_first(f"r={client.c_nonce}x,s=c2FsdHNhbHRzYWx0c2FsdA==,i=4096")
    client.get_client_final()
    with pytest.raises(ScramException):
        client.set_server_final("v=" + base64.b64encode(bytes(32)).decode())


def test_a_proof_over_another_nonce_is_a_replay(authenticator: Authenticator) -> None:
    """A right proof, but of an exchange that this server did not begin: RFC 5802 section 5.1, the r attribute."""

    async def steps(nonce_of: Callable[[str], str]) -> Granted | Denied | Challenge:
        server = SaslScram(authenticator, PEER)
        bare = "n=alice@example.test,r=0123456789"
        challenge = await server.step(b"n,," + bare.encode())
        assert isinstance(challenge, Challenge)
        first = challenge.data.decode()
        nonce, salt, count = (part[2:] for part in first.split(","))
        final = f"c=biws,r={nonce_of(nonce)}"
        salted = hashlib.pbkdf2_hmac("sha256", b"wonderland", base64.b64decode(salt), int(count))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        exchange = f"{bare},{first},{final}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), exchange, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return await server.step(f"{final},p={base64.b64encode(proof).decode()}".encode())

    assert isinstance(run(steps(lambda nonce: nonce)), Granted)
    assert run(steps(lambda nonce: nonce[:10])) == FAILED
    assert run(steps(lambda nonce: nonce[:-1] + ("A" if nonce[-1] != "A" else "B"))) == FAILED


def test_the_log_knows_a_missing_secret_from_a_wrong_one(authenticator: Authenticator, people: People) -> None:
    people.add("old@example.test", "wonderland")
    del people.verifiers["old@example.test"]["scram-sha-256"]
    for name, password, account, reason in (
        ("alice@example.test", "wrong", "alice@example.test", "wrong password"),
        ("old@example.test", "wonderland", "old@example.test", "no SCRAM-SHA-256 secret: set the password again"),
        ("gone@example.test", "wonderland", "gone@example.test", "the account is disabled"),
        ("nobody@example.test", "wonderland", "", "no such account"),
    ):
        outcome = exchange(authenticator, name, password)
        assert isinstance(outcome, Denied) and outcome == FAILED
        assert (outcome.account, outcome.reason) == (account, reason)
