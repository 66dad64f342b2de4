"""SASL GSSAPI with tickets of a MIT KDC, against libkrb5's own client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postern.model.security import Channel, Mechanism, Seal
from postern.trust.acceptor import FAILED, UNAVAILABLE, Asking, Challenge, Denied, Granted
from postern.trust.authenticator import Authenticator
from postern.trust.framing.sasl import begin
from postern.trust.host import HostCredentials
from postern.trust.kerberos.contexts import KerberosAcceptorContext, usable
from tests.trust import kdc
from tests.trust.people import PEER, People, run

gssapi = pytest.importorskip("gssapi")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not kdc.installed(), reason="no MIT KDC (package krb5-kdc)")]

TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")


@pytest.fixture(scope="module")
def realm() -> Iterator[kdc.Kdc]:
    with kdc.running_kdc() as running, pytest.MonkeyPatch.context() as patch:
        running.join(patch)
        for user in ("alice", "bob", "stranger"):
            running.add_user(user, "wonderland")
        yield running


@pytest.fixture(scope="module")
def keytab(realm: kdc.Kdc) -> Path:
    return realm.add_service("smtp/localhost", "imap/localhost")


@pytest.fixture
def people() -> People:
    made = People()
    made.add("alice@example.test", "x-unused-x")
    made.add("bob@example.test", "x-unused-x", enabled=False)
    return made


@pytest.fixture
def authenticator(people: People, realm: kdc.Kdc, keytab: Path) -> Iterator[Authenticator]:
    made = Authenticator(people, HostCredentials(realm=realm.realm, keytab=str(keytab)))
    yield made
    made.close()


def wrapped(context: Any, octets: bytes) -> bytes:
    return bytes(context.wrap(octets, False).message)


def exchange(
    authenticator: Authenticator,
    realm: kdc.Kdc,
    user: str,
    service: str = "smtp@localhost",
    choice: Callable[[Any], bytes] = lambda context: wrapped(context, b"\x01\0\0\0"),
    binding: bytes = b"",
) -> Challenge | Granted | Denied:
    ccache = realm.kinit(user, "wonderland")

    async def steps() -> Challenge | Granted | Denied:
        server = begin(authenticator, "GSSAPI", Asking(PEER, TLS, Channel(b"tls-server-end-point:ours")))
        assert server is not None
        client = gssapi.SecurityContext(
            name=gssapi.Name(service, gssapi.NameType.hostbased_service),
            creds=gssapi.Credentials(usage="initiate", store={"ccache": f"FILE:{ccache}"}),
            usage="initiate",
            channel_bindings=gssapi.raw.ChannelBindings(application_data=binding) if binding else None,
        )
        outcome = await server.step(client.step())
        while isinstance(outcome, Challenge) and not client.complete:
            outcome = await server.step(client.step(outcome.data) or b"")
        if not isinstance(outcome, Challenge):
            return outcome
        assert client.unwrap(outcome.data).message == b"\x01\0\0\0"  # no layer is all that is offered
        return await server.step(choice(client))

    return run(steps())


@pytest.mark.parametrize("service", ["smtp@localhost", "imap@localhost"])
def test_a_ticket_is_enough(authenticator: Authenticator, realm: kdc.Kdc, service: str) -> None:
    assert Mechanism.KERBEROS in authenticator.available
    outcome = exchange(authenticator, realm, "alice", service)
    assert isinstance(outcome, Granted)
    assert (outcome.identity.name, outcome.identity.mechanism) == ("alice@example.test", Mechanism.KERBEROS)


def test_the_identity_ends_with_the_ticket(authenticator: Authenticator, realm: kdc.Kdc) -> None:
    """Not five minutes later, which is what libkrb5 grants a context for clocks that differ."""
    outcome = exchange(authenticator, realm, "alice")
    ccache = f"FILE:{realm.folder / 'alice.ccache'}"
    left = gssapi.Credentials(usage="initiate", store={"ccache": ccache}).lifetime
    assert isinstance(outcome, Granted) and outcome.identity.ends is not None
    assert abs(outcome.identity.ends - time.time() - left) < 120


@pytest.mark.parametrize(("binding", "right"), [(b"ours", True), (b"another's", False)])
def test_who_binds_must_bind_to_this_channel(
    authenticator: Authenticator, realm: kdc.Kdc, binding: bytes, right: bool
) -> None:
    """RFC 5929; the tests beside this one bind to nothing, which passes."""
    outcome = exchange(authenticator, realm, "alice", binding=b"tls-server-end-point:" + binding)
    assert isinstance(outcome, Granted) == right


@pytest.mark.parametrize("name", [b"alice", b"alice@example.test", b"ALICE@EXAMPLE.TEST"])
def test_it_may_name_itself(authenticator: Authenticator, realm: kdc.Kdc, name: bytes) -> None:
    outcome = exchange(authenticator, realm, "alice", choice=lambda context: wrapped(context, b"\x01\0\0\0" + name))
    assert isinstance(outcome, Granted)


@pytest.mark.parametrize(
    "choice",
    [
        lambda context: wrapped(context, b"\x01\0\0\0bob@example.test"),  # acting for another
        lambda context: wrapped(context, b"\x01\0\0\0\xff"),
        lambda context: wrapped(context, b"\x04\0\x10\0"),  # a layer that was not offered
        lambda context: wrapped(context, b"\x01"),
        lambda context: b"\x01\0\0\0",  # not wrapped
        lambda context: b"",
    ],
)
def test_a_choice_that_is_none(authenticator: Authenticator, realm: kdc.Kdc, choice: Callable[[Any], bytes]) -> None:
    assert exchange(authenticator, realm, "alice", choice=choice) == FAILED


@pytest.mark.parametrize("operation", ["wrap", "unwrap"])
def test_an_error_of_the_library_after_the_handshake_is_a_refusal(
    authenticator: Authenticator, realm: kdc.Kdc, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    class Failing:
        def __init__(self, context: Any) -> None:
            self._context = context

        def __getattr__(self, name: str) -> Any:
            if name == operation:
                raise gssapi.exceptions.GSSError(0xD0000, 0)
            return getattr(self._context, name)

    finish = KerberosAcceptorContext._finish

    def finish_and_fail(server: KerberosAcceptorContext) -> None:
        finish(server)
        server._context = Failing(server._context)

    monkeypatch.setattr(KerberosAcceptorContext, "_finish", finish_and_fail)
    assert exchange(authenticator, realm, "alice") == FAILED


@pytest.mark.parametrize("user", ["bob", "stranger"])
def test_a_ticket_alone_is_no_account(authenticator: Authenticator, realm: kdc.Kdc, user: str) -> None:
    assert exchange(authenticator, realm, user) == FAILED


def test_clocks_that_differ_are_not_the_caller_s_fault(
    authenticator: Authenticator, realm: kdc.Kdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No clock can be set here: with a bound below zero every two clocks differ by too much."""
    strict = tmp_path / "krb5.conf"
    strict.write_text(realm.krb5_conf.read_text().replace("[libdefaults]", "[libdefaults]\n    clockskew = -1"))
    really = KerberosAcceptorContext._step

    def accept(server: KerberosAcceptorContext, token: bytes) -> bytes:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KRB5_CONFIG", str(strict))
            return really(server, token)

    monkeypatch.setattr(KerberosAcceptorContext, "_step", accept)
    assert exchange(authenticator, realm, "alice") == UNAVAILABLE


def test_another_realm_s_names_are_not_ours(people: People, realm: kdc.Kdc, keytab: Path) -> None:
    other = Authenticator(people, HostCredentials(realm="OTHER.TEST", keytab=str(keytab)))
    assert exchange(other, realm, "alice") == FAILED
    other.close()


def test_a_ticket_whose_key_our_keytab_lacks_is_our_own_failure(authenticator: Authenticator, realm: kdc.Kdc) -> None:
    realm.add_service("pop/localhost")
    assert exchange(authenticator, realm, "alice", "pop@localhost") == UNAVAILABLE


def test_no_answer_from_the_directory(authenticator: Authenticator, people: People, realm: kdc.Kdc) -> None:
    people.away = True
    assert exchange(authenticator, realm, "alice") == UNAVAILABLE


@pytest.mark.parametrize("token", [b"garbage", b"\x60\x82" + bytes(200), bytes(70_000)])
def test_what_is_no_token(authenticator: Authenticator, token: bytes) -> None:
    async def steps() -> None:
        server = begin(authenticator, "GSSAPI", Asking(PEER, TLS))
        assert server is not None
        assert await server.step(None) == Challenge(b"")
        assert await server.step(token) == FAILED

    run(steps())


def test_without_a_keytab_there_is_no_kerberos(people: People, tmp_path: Path) -> None:
    assert not usable(str(tmp_path / "none"))
    for keytab in ("", str(tmp_path / "none")):
        made = Authenticator(people, HostCredentials(realm="EXAMPLE.TEST", keytab=keytab))
        assert Mechanism.KERBEROS not in made.available
        assert begin(made, "GSSAPI", Asking(PEER, TLS)) is None
        made.close()
