"""HTTP authentication: NTLM and Negotiate (by pyspnego and MIT's library) prove a connection, Basic a request; and refusals."""

from __future__ import annotations

import base64
import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import spnego
from hypothesis import given
from hypothesis import strategies as st
from spnego.channel_bindings import GssChannelBindings

from postern.model.organization import Profile
from postern.model.security import Channel, Mechanism, PrincipalKind, Seal
from postern.paths.guard import Guard
from postern.paths.table import settle
from postern.trust.acceptor import SERVERS, Asking, Cause
from postern.trust.authenticator import Authenticator
from postern.trust.framing.http import (
    MAX_AUTHORIZATION,
    AuthorizationField,
    Authorized,
    HttpAuthentication,
    Unauthorized,
    challenges,
    parse_authorization,
    password_of,
)
from postern.trust.host import HostCredentials
from tests.trust import kdc
from tests.trust.people import PEER, People, run

TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")
CHANNEL = Channel(b"tls-server-end-point:" + bytes(32), frozenset({"mail.example.test"}))
ASKING = Asking(PEER, TLS, CHANNEL)
LENIENT, STRICT = (settle(profile)["mapi-over-http"] for profile in (Profile.PRACTICAL, Profile.HARDENED))
ALL = frozenset({Mechanism.KERBEROS, Mechanism.NTLM, Mechanism.BASIC})
GUARD = Guard([LENIENT], ALL)
WRAPPED = spnego.NegotiateOptions.use_negotiate | spnego.NegotiateOptions.use_ntlm
OFFERED = ("Negotiate", "NTLM", 'Basic realm="mail", charset="UTF-8"')


@pytest.fixture
def people() -> People:
    people = People()
    people.enabled = {"nt"}
    people.add("alice@example.test", "wonderland")
    people.add("d\u00f6rte@example.test", "gr\u00fc\u00df: g\u00f6tt")
    return people


@pytest.fixture
def authenticator(people: People) -> Iterator[Authenticator]:
    made = Authenticator(people, HostCredentials("mail", "example.test"), policy=people)
    run(made.refresh())
    yield made
    made.close()


def client(protocol: str, password: str = "wonderland", service: str = "http", binding: bytes = CHANNEL.binding) -> Any:
    return spnego.client(
        "alice@example.test",
        password,
        "mail.example.test",
        service,
        protocol=protocol,
        options=WRAPPED if protocol == "negotiate" else spnego.NegotiateOptions.use_ntlm,
        channel_bindings=GssChannelBindings(application_data=binding),
    )


def ask(http: HttpAuthentication, value: str | None, guard: Guard = GUARD, asking: Asking = ASKING) -> Any:
    return run(http.authorize(value.encode() if value is not None else None, guard, asking))


def log_on(http: HttpAuthentication, caller: Any, scheme: str, guard: Guard = GUARD, asking: Asking = ASKING) -> Any:
    """Runs the exchange as a client does: a token of ours, a token of the server's field, until it is decided."""
    token, answer = caller.step(), None
    while token is not None:
        answer = ask(http, f"{scheme} {base64.b64encode(token).decode()}", guard, asking)
        fields = answer.challenges if isinstance(answer, Unauthorized) else (answer.challenge,)
        named, _, encoded = fields[0].partition(" ") if len(fields) == 1 else ("", "", "")
        if not encoded:
            break
        assert named == scheme
        token = caller.step(base64.b64decode(encoded))
    return answer


def test_nobody_yet_hears_what_is_offered(authenticator: Authenticator) -> None:
    http = HttpAuthentication(authenticator, "mail")
    answer = ask(http, None)
    assert answer == Unauthorized(OFFERED) and answer.status == 401
    assert ask(http, None, Guard([STRICT], ALL)) == Unauthorized(("Negotiate",))
    in_clear = ask(http, None, asking=Asking(PEER))
    assert in_clear == Unauthorized(()) and in_clear.status == 403


@pytest.mark.parametrize(("protocol", "scheme"), [("ntlm", "NTLM"), ("negotiate", "Negotiate"), ("ntlm", "Negotiate")])
def test_ntlm_and_negotiate_prove_the_connection(authenticator: Authenticator, protocol: str, scheme: str) -> None:
    """Bare, wrapped by SPNEGO, and bare inside Negotiate, as some clients send it."""
    http = HttpAuthentication(authenticator, "mail")
    answer = log_on(http, client(protocol), scheme)
    assert isinstance(answer, Authorized)
    identity = answer.identity
    assert (identity.name, identity.kind, identity.mechanism) == (
        *("alice@example.test", PrincipalKind.USER, Mechanism.NTLM),
    )
    assert ask(http, None) == Authorized(identity)
    assert GUARD.row_for(identity, TLS) is LENIENT


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
@pytest.mark.parametrize(
    "how", [{"password": "wrong"}, {"service": "smtp"}, {"binding": b"tls-server-end-point:" + bytes(31) + b"x"}]
)
def test_what_is_not_meant_for_us_proves_nothing(
    authenticator: Authenticator, scheme: str, how: dict[str, Any]
) -> None:
    http = HttpAuthentication(authenticator, "mail")
    answer = log_on(http, client(scheme.lower(), **how), scheme)
    assert isinstance(answer, Unauthorized) and answer.challenges == OFFERED
    assert answer.failure is not None and answer.failure.cause is Cause.FAILED
    assert ask(http, None) == Unauthorized(OFFERED)


def test_credentials_of_its_own_end_what_the_connection_had_proven(authenticator: Authenticator) -> None:
    http = HttpAuthentication(authenticator, "mail")
    assert isinstance(log_on(http, client("ntlm"), "NTLM"), Authorized)
    assert isinstance(ask(http, basic("alice", "wrong")), Unauthorized)
    assert isinstance(ask(http, None), Unauthorized)


@pytest.mark.parametrize("between", [None, "Basic AAAA", "Negotiate AAAA", "Bearer AAAA"])
def test_an_exchange_that_is_broken_off_is_over(authenticator: Authenticator, between: str | None) -> None:
    http, caller = HttpAuthentication(authenticator, "mail"), client("ntlm")
    answer = ask(http, "NTLM " + base64.b64encode(caller.step()).decode())
    last = caller.step(base64.b64decode(answer.challenges[0].partition(" ")[2]))
    assert isinstance(ask(http, between), Unauthorized)
    answer = ask(http, "NTLM " + base64.b64encode(last).decode())
    assert isinstance(answer, Unauthorized) and answer.challenges == OFFERED


def test_negotiate_comes_to_ntlm_only_where_the_row_lists_it(authenticator: Authenticator) -> None:
    strict = Guard([STRICT], ALL)
    for protocol, scheme in (("negotiate", "Negotiate"), ("ntlm", "Negotiate"), ("ntlm", "NTLM")):
        answer = log_on(HttpAuthentication(authenticator, "mail"), client(protocol), scheme, strict)
        assert isinstance(answer, Unauthorized) and answer.failure is not None and answer.challenges == ("Negotiate",)


def test_nothing_is_begun_in_clear_text(authenticator: Authenticator) -> None:
    for value in (basic("alice", "wonderland"), "NTLM " + base64.b64encode(client("ntlm").step()).decode()):
        answer = ask(HttpAuthentication(authenticator, "mail"), value, asking=Asking(PEER))
        assert isinstance(answer, Unauthorized) and answer.status == 403
        assert answer.failure is not None and answer.failure.cause is Cause.PRIVACY


# Basic


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", "wonderland"), ("d\u00f6rte@example.test", "gr\u00fc\u00df: g\u00f6tt")],
)
def test_basic_proves_one_request(authenticator: Authenticator, name: str, password: str) -> None:
    http = HttpAuthentication(authenticator, "mail")
    answer = ask(http, basic(name, password))
    assert isinstance(answer, Authorized) and answer.identity.mechanism is Mechanism.BASIC
    assert ask(http, None) == Unauthorized(OFFERED), "the next request has to say it again"


@pytest.mark.parametrize("value", [basic("alice", "wrong"), basic("nobody", "x"), basic("", "x"), "Basic YWxpY2U="])
def test_basic_that_is_wrong(authenticator: Authenticator, value: str) -> None:
    answer = ask(HttpAuthentication(authenticator, "mail"), value)
    assert isinstance(answer, Unauthorized) and (answer.status, answer.challenges) == (401, OFFERED)
    assert answer.failure is not None and answer.failure.cause is Cause.FAILED


@pytest.mark.parametrize("value", ["Basic", "Basic !", "Bearer AAAA", ""])
def test_a_field_that_is_none_of_ours_is_no_guess(authenticator: Authenticator, value: str) -> None:
    answer = ask(HttpAuthentication(authenticator, "mail"), value)
    assert isinstance(answer, Unauthorized) and (answer.status, answer.challenges) == (401, OFFERED)
    assert answer.failure is not None and answer.failure.cause is Cause.UNSUPPORTED


def test_no_password_is_judged_where_only_servers_call(authenticator: Authenticator, people: People) -> None:
    asking = Asking(PEER, TLS, CHANNEL, callers=SERVERS)
    asked = people.asked
    answer = ask(HttpAuthentication(authenticator, "mail"), basic("alice", "wonderland"), asking=asking)
    assert isinstance(answer, Unauthorized) and people.asked == asked


def test_a_directory_that_is_away_decides_nothing(authenticator: Authenticator, people: People) -> None:
    people.away = True
    answer = ask(HttpAuthentication(authenticator, "mail"), basic("alice", "wonderland"))
    assert isinstance(answer, Unauthorized) and answer.status == 503


def test_guesses_are_counted(authenticator: Authenticator) -> None:
    for _ in range(6):
        ask(HttpAuthentication(authenticator, "mail"), basic("alice", "wrong"))
    assert not authenticator._backoff.is_free("alice@example.test", PEER.host, authenticator._clock())


# Fields


def test_challenges_are_in_the_row_s_order_and_quoted() -> None:
    offered = (Mechanism.BASIC, Mechanism.KERBEROS, Mechanism.NEGOTIATE, Mechanism.SCRAM)
    assert challenges(offered, 'a "b" \\ c\r\nX: y') == (
        'Basic realm="a \\"b\\" \\\\ cX: y", charset="UTF-8"',
        "Negotiate",
    )


def test_negotiate_comes_before_ntlm() -> None:
    assert challenges((Mechanism.BASIC, Mechanism.NTLM, Mechanism.NEGOTIATE), "mail")[1:] == ("Negotiate", "NTLM")
    assert challenges((Mechanism.NTLM, Mechanism.BASIC, Mechanism.KERBEROS), "mail")[:2] == ("Negotiate", "NTLM")
    assert challenges((Mechanism.NEGOTIATE, Mechanism.BASIC, Mechanism.NTLM), "mail")[::2] == ("Negotiate", "NTLM")


@pytest.mark.parametrize(
    ("value", "credentials"),
    [
        (b"Basic YTpi", AuthorizationField("basic", b"a:b")),
        (b"  nEGOTIATE   YTpi ", AuthorizationField("negotiate", b"a:b")),
        (b"Basic", None),
        (b"Basic YTp", None),
        (b"Basic YTpi YTpi", None),
        (b"Basic YTpi,", None),
        (b"Ba(sic YTpi", None),
        (b'Digest username="alice"', None),
        (b"", None),
        (b"\xff YTpi", None),
        (b"NTLM " + b"A" * MAX_AUTHORIZATION, None),
    ],
)
def test_an_authorization_field(value: bytes, credentials: AuthorizationField | None) -> None:
    assert parse_authorization(value) == credentials


@pytest.mark.parametrize("token", [b"alice", b":x", b"a\x00b:x", b"a:x\n", b"a:\x7f", b"\xff:x"])
def test_what_is_no_name_and_password(token: bytes) -> None:
    assert password_of(token) is None


def test_a_token_stands_in_no_text() -> None:
    assert "secret" not in repr(AuthorizationField("basic", b"secret"))


@given(
    st.lists(
        st.none() | st.binary(max_size=80).map(lambda octets: b"Negotiate " + base64.b64encode(octets)), max_size=4
    )
)
def test_garbage_is_nobody(values: list[bytes | None]) -> None:
    made = Authenticator(People(), HostCredentials("mail", "example.test"))
    http = HttpAuthentication(made, "mail")
    for value in values:
        assert isinstance(run(http.authorize(value, GUARD, ASKING)), Unauthorized)
    made.close()


# Kerberos


@pytest.fixture(scope="module")
def realm() -> Iterator[kdc.Kdc]:
    pytest.importorskip("gssapi")
    with kdc.running_kdc() as running, pytest.MonkeyPatch.context() as patch:
        running.add_user("alice", "wonderland")
        running.join(patch, running.kinit("alice", "wonderland"))
        yield running


class Ticket:
    """A client by MIT's library, with the mechanism of this OID; it wants the server to prove itself too."""

    def __init__(self, oid: str) -> None:
        gssapi: Any = importlib.import_module("gssapi")
        flag = gssapi.RequirementFlag
        self.context = gssapi.SecurityContext(
            name=gssapi.Name("http@localhost", gssapi.NameType.hostbased_service),
            mech=gssapi.OID.from_int_seq(oid),
            flags=flag.mutual_authentication | flag.integrity,
            usage="initiate",
        )

    def step(self, token: bytes | None = None) -> bytes | None:
        return self.context.step(token)


@pytest.mark.slow
@pytest.mark.skipif(not kdc.installed(), reason="no MIT KDC (package krb5-kdc)")
@pytest.mark.parametrize("protocol", ["negotiate", "kerberos"])
def test_a_ticket_proves_the_connection_until_it_ends(realm: kdc.Kdc, people: People, protocol: str) -> None:
    """Inside SPNEGO and bare; the server proves itself by what its answer shows."""
    keytab = realm.add_service("http/localhost")
    made = Authenticator(people, HostCredentials("mail", "example.test", "", realm.realm, str(keytab)))
    for guard in (GUARD, Guard([STRICT], ALL)):
        http = HttpAuthentication(made, "mail")
        caller = Ticket("1.3.6.1.5.5.2" if protocol == "negotiate" else "1.2.840.113554.1.2.2")
        answer = log_on(http, caller, "Negotiate", guard, Asking(PEER, TLS))
        assert isinstance(answer, Authorized) and answer.challenge.startswith("Negotiate ") and caller.context.complete
        identity = answer.identity
        assert (identity.name, identity.mechanism) == ("alice@example.test", Mechanism.KERBEROS)
        assert identity.ends is not None and ask(http, None, guard) == Authorized(identity)
        assert guard.row_for(identity, TLS) is guard.rows[0]
    made.close()
