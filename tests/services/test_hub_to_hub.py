"""From hub to hub: Kerberos inside TLS with machine accounts and tickets of a MIT KDC; who cannot prove to be a hub waits."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from postern.model.directory import Account
from postern.model.mail import HopKind, NextHop
from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.paths.row import Path as Row
from postern.trust.authenticator import Authenticator
from postern.trust.host import HostCredentials
from postern.trust.sasl.initiators import sasl_initiators
from tests.certificates import make
from tests.services.perimeter import HUB_25, Perimeter
from tests.services.smtp.test_send import ROWS, parcel, run, summary
from tests.services.smtp_doors import SmtpDoors
from tests.services.talk import talk
from tests.trust import kdc

pytest.importorskip("gssapi")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not kdc.installed(), reason="no MIT KDC (package krb5-kdc)")]

TO_HUB2 = NextHop(HopKind.HUB, ("hub2",), "hub-to-hub")
OUTSIDE = "someone@far.test"


@pytest.fixture(scope="module")
def realm() -> Iterator[kdc.Kdc]:
    with kdc.running_kdc() as running, pytest.MonkeyPatch.context() as patch:
        running.join(patch)
        running.add_service("smtp/hub2.example.test", "host/hub2.example.test")
        for account in ("HUB1$", "MBX1$", "HUB9$"):
            running.add_service(account)
        yield running


class Hubs(Perimeter):
    """hub2's door, with Kerberos; HUB1$ is a hub, MBX1$ a server that is none, HUB9$ in no directory."""

    def __init__(self, realm: kdc.Kdc) -> None:
        super().__init__()
        self.realm = realm
        keytab = str(realm.folder / "smtp_hub2.example.test.keytab")
        self.inner.authenticator.close()
        for name in ("HUB1$", "MBX1$"):
            guid = uuid.uuid5(uuid.NAMESPACE_DNS, name)
            self.inner.directory.accounts[name.lower()] = Account(guid, name, True, True, "1")
        self.inner.authenticator = Authenticator(
            self.inner.directory, HostCredentials(realm=realm.realm, keytab=keytab)
        )

    async def start(self) -> None:
        connector = self.inner.connector([ROWS[name] for name in HUB_25])
        connector.proofs = replace(connector.proofs, certificates=self.by_hub, may_call=self._may_call)
        self.hub_port = await self.open(connector, make("hub2.example.test"))

    def _may_call(self, identity: Identity, row: Row) -> bool:
        return identity.kind is not PrincipalKind.SERVER or identity.name.upper().startswith("HUB1")

    def keytab(self, account: str) -> str:
        return str(self.realm.folder / f"{account}.keytab")

    async def send(self, account: str, keytab: str | None = None) -> tuple[list[list[str]], str]:
        """What becomes of one message that `account` brings, and the words."""
        initiator = sasl_initiators(
            account, HostCredentials(realm=self.realm.realm, keytab=keytab or self.keytab(account))
        )
        sender = self.sender(self.hub_port, None, None, initiator=initiator)
        organization = sender._organization
        servers = [server for server in organization.servers if server.name != "hub2"]
        hub2 = next(server for server in organization.servers if server.name == "hub1")
        hub2 = replace(hub2, name="hub2", fqdn="hub2.example.test")
        sender.reorganize(replace(organization, servers=(*servers, hub2)))
        outcomes = await sender.carry(TO_HUB2, [parcel(OUTSIDE), parcel("bob@example.test")])
        return summary(outcomes), f"{outcomes[0][0].mechanism}: {outcomes[0][0].diagnostic}"


def play(realm: kdc.Kdc, test: Callable[[Hubs], Awaitable[None]]) -> None:
    async def body() -> None:
        hubs = Hubs(realm)
        try:
            await hubs.start()
            await test(hubs)
        finally:
            await hubs.close()

    run(body)


def test_a_hub_proves_itself_and_may_relay(realm: kdc.Kdc) -> None:
    async def test(at: Hubs) -> None:
        seen: list[tuple[object, ...]] = []
        at.inner.observed.seen = lambda *what: seen.append(what[:3])
        outcomes, words = await at.send("HUB1$")
        assert outcomes == [["relayed 2.0.0"]] * 2 and words.startswith("Kerberos:")
        origins = {(o.path, o.identity, o.mechanism, o.protocol) for _, _, o in at.inner.queue.taken}
        assert origins == {("hub-to-hub", "HUB1$", "Kerberos", "ESMTPSA")}
        assert seen == [("hub-to-hub", "127.0.0.1", Mechanism.KERBEROS)] * 3

    play(realm, test)


@pytest.mark.parametrize("account", ["MBX1$", "HUB9$"])
def test_who_is_no_hub_sends_nothing(realm: kdc.Kdc, account: str) -> None:
    async def test(at: Hubs) -> None:
        outcomes, words = await at.send(account)
        assert outcomes == [["delayed 4.7.0"]] * 2 and "535 5.7.8" in words
        assert not at.inner.queue.taken

    play(realm, test)


def test_without_a_ticket_it_waits(realm: kdc.Kdc) -> None:
    async def test(at: Hubs) -> None:
        for keytab in ("/nonexistent", at.keytab("MBX1$")):
            outcomes, words = await at.send("HUB1$", keytab)
            assert outcomes == [["delayed 4.7.0"]] * 2 and "authentication failed" in words
        assert not at.inner.queue.taken

    play(realm, test)


def test_never_in_clear_text(realm: kdc.Kdc) -> None:
    async def test(at: Hubs) -> None:
        async with talk(at.hub_port) as say:
            await say.reply()
            assert "GSSAPI" not in await say.ask("EHLO hub1.example.test")
            assert (await say.ask("AUTH GSSAPI")).startswith("538 5.7.11")
            await say.start_tls(at.client_tls())
            assert "GSSAPI" in await say.ask("EHLO hub1.example.test")
        # A hub that shows no STARTTLS gets nothing either.
        doors = SmtpDoors()
        try:
            at.hub_port = await doors.open("internet-to-hub", tls=False)
            outcomes, words = await at.send("HUB1$")
            assert outcomes == [["delayed 4.7.4"]] * 2 and "TLS is required" in words
            assert not doors.queue.taken
        finally:
            await doors.close()

    play(realm, test)
