"""Our GSSAPI as a client against our server with tickets of a MIT KDC, and against servers that ask for something else.

covers: trust.kerberos.principal
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postern.model.security import Mechanism, PrincipalKind, Seal
from postern.trust.acceptor import Asking, Challenge, Denied, Granted
from postern.trust.authenticator import Authenticator
from postern.trust.framing.sasl import begin
from postern.trust.host import HostCredentials
from postern.trust.kerberos.principal import Principals, Ticket
from postern.trust.sasl import initiators
from postern.trust.sasl.initiators import InitiatorFailure, sasl_initiators
from tests.trust import kdc
from tests.trust.people import PEER, People, run

gssapi = pytest.importorskip("gssapi")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not kdc.installed(), reason="no MIT KDC (package krb5-kdc)")]
HOST = "hub2.example.test"
TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")


@pytest.fixture(scope="module")
def realm() -> Iterator[kdc.Kdc]:
    with kdc.running_kdc() as running, pytest.MonkeyPatch.context() as patch:
        running.join(patch)
        yield running


@pytest.fixture(scope="module")
def machine(realm: kdc.Kdc) -> Path:
    return realm.add_service("HUB1$")


@pytest.fixture(scope="module")
def server(realm: kdc.Kdc) -> Path:
    return realm.add_service(f"smtp/{HOST}")


def test_a_hub_proves_itself_to_a_hub(realm: kdc.Kdc, machine: Path, server: Path) -> None:
    people = People()
    people.add("HUB1$", "x", is_server=True)
    authenticator = Authenticator(people, HostCredentials(realm=realm.realm, keytab=str(server)))
    initiate = sasl_initiators("HUB1$", HostCredentials(realm=realm.realm, keytab=str(machine)))

    async def steps() -> Challenge | Granted | Denied:
        client, accepting = initiate(Mechanism.KERBEROS, HOST), begin(authenticator, "GSSAPI", Asking(PEER, TLS))
        assert client is not None and client.name == "GSSAPI" and accepting is not None
        outcome = await accepting.step(await asyncio.to_thread(client.step, b""))
        while isinstance(outcome, Challenge):
            outcome = await accepting.step(await asyncio.to_thread(client.step, outcome.data))
        return outcome

    outcome = run(steps())
    assert isinstance(outcome, Granted)
    assert (outcome.identity.name, outcome.identity.kind) == ("HUB1$", PrincipalKind.SERVER)
    authenticator.close()


def test_only_what_can_be_proven_is_begun(realm: kdc.Kdc, machine: Path) -> None:
    initiate = sasl_initiators("HUB1$", HostCredentials(realm=realm.realm, keytab=str(machine)))
    assert initiate(Mechanism.NTLM, HOST) is None and initiate(Mechanism.BASIC, HOST) is None
    assert sasl_initiators("HUB1$", HostCredentials(realm="", keytab=""))(Mechanism.KERBEROS, HOST) is None
    assert sasl_initiators("HUB1$", HostCredentials(realm=realm.realm, keytab=""))(Mechanism.KERBEROS, HOST) is None


@pytest.mark.parametrize(("account", "host"), [("HUB9$", HOST), ("HUB1$", "nowhere.example.test")])
def test_no_ticket(realm: kdc.Kdc, machine: Path, account: str, host: str) -> None:
    client = sasl_initiators(account, HostCredentials(realm=realm.realm, keytab=str(machine)))(Mechanism.KERBEROS, host)
    assert client is not None
    with pytest.raises(InitiatorFailure):
        client.step(b"")


def acceptor(server: Path) -> Any:
    credentials = gssapi.Credentials(usage="accept", store={"keytab": str(server)})
    return gssapi.SecurityContext(creds=credentials, usage="accept")


def test_a_server_that_demands_a_layer_and_one_that_is_another(realm: kdc.Kdc, machine: Path, server: Path) -> None:
    initiate = sasl_initiators("HUB1$", HostCredentials(realm=realm.realm, keytab=str(machine)))
    for offer in (b"\x06\x01\0\0", b"\x01\0\0", b""):
        client, accepting = initiate(Mechanism.KERBEROS, HOST), acceptor(server)
        assert client is not None
        assert client.step(accepting.step(client.step(b""))) == b""
        with pytest.raises(InitiatorFailure):
            client.step(accepting.wrap(offer, False).message)
    client = initiate(Mechanism.KERBEROS, HOST)
    assert client is not None
    client.step(b"")
    with pytest.raises(InitiatorFailure):
        client.step(b"no proof of the server's")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, machine: Path) -> None:
    monkeypatch.setattr(initiators, "gssapi", None)
    assert (
        sasl_initiators("HUB1$", HostCredentials(realm="EXAMPLE.TEST", keytab=str(machine)))(Mechanism.KERBEROS, HOST)
        is None
    )


# Whose a ticket is


class Names:
    """A directory that tells what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def account(self, name: str) -> None:
        self.asked.append(name)


@pytest.mark.parametrize(
    ("ticket", "domain", "asked"),
    [
        (Ticket("alice", "CORP.TEST"), "", ["alice@corp.test", "alice"]),
        (Ticket("alice", "CORP.TEST"), "CORP", ["CORP\\alice"]),
        (Ticket("alice@other.test", "CORP.TEST", "alice"), "CORP", ["CORP\\alice"]),
        (Ticket("alice@other.test", "CORP.TEST"), "CORP", ["alice@other.test"]),
        (Ticket("alice", "OTHER.TEST"), "CORP", []),
        (Ticket("host/alice", "CORP.TEST"), "CORP", []),
        (Ticket("", "CORP.TEST"), "CORP", []),
    ],
)
def test_whose_account_is_asked_for(ticket: Ticket, domain: str, asked: list[str]) -> None:
    names = Names()
    assert run(Principals(names, "CORP.TEST", domain).account(ticket)) is None
    assert names.asked == asked
