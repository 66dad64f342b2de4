"""Kerberos contexts in DCE style with tickets of a MIT KDC: our initiator against our acceptor, at every level, and the lies.

covers: trust.initiators trust.framing.rpc
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from postern.model.security import Mechanism
from postern.protocols.dcerpc.protection import AuthType, Level
from postern.trust.acceptor import SERVERS
from postern.trust.authenticator import Authenticator
from postern.trust.contexts import SecurityContext, SecurityFailure
from postern.trust.framing.rpc import begin
from postern.trust.host import HostCredentials
from postern.trust.initiators import Initiators
from postern.trust.kerberos import contexts as kerberos
from postern.trust.kerberos.library import AVAILABLE
from tests.services.rpc_parts import MachineDirectory
from tests.trust import kdc
from tests.trust.people import PEER

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not kdc.installed(), reason="no MIT KDC (package krb5-kdc)"),
    pytest.mark.skipif(not AVAILABLE, reason="the extra postern[kerberos] is not installed"),
]
HOST = "mbx1.example.test"
HEAD, STUB, TRAILER = b"h" * 24, b"stub" * 100, b"t" * 8


@dataclass
class Realm:
    kdc: kdc.Kdc
    server: str
    clients: str

    def acceptor(self, realm: str = "") -> kerberos.KerberosAcceptorContext:
        return kerberos.KerberosAcceptorContext(self.server, realm or self.kdc.realm)

    def initiator(self, account: str = "CAS1$", host: str = HOST) -> SecurityContext:
        begun = Initiators(account, HostCredentials(realm=self.kdc.realm, keytab=self.clients)).begin(
            Mechanism.KERBEROS, host
        )
        assert begun is not None
        return begun


@pytest.fixture(scope="module")
def realm() -> Iterator[Realm]:
    with kdc.running_kdc() as running, pytest.MonkeyPatch.context() as patch:
        running.join(patch)
        keytab = running.add_service(f"host/{HOST}")
        running.add_service("host/other.example.test")
        yield Realm(running, str(keytab), str(running.add_service("CAS1$")))


def shake(initiator: SecurityContext, acceptor: SecurityContext) -> None:
    async def legs() -> None:
        token = await initiator.step(b"")
        for _ in range(3):
            if token:
                token = await acceptor.step(token)
            if token:
                token = await initiator.step(token)
        assert initiator.complete and acceptor.complete

    asyncio.run(legs())


def test_three_legs_and_the_same_key(realm: Realm) -> None:
    initiator, acceptor = realm.initiator(), realm.acceptor()
    shake(initiator, acceptor)
    assert acceptor.ticket is not None and acceptor.ticket.name == "CAS1$"
    # The ticket's, with libkrb5's allowance for clocks that differ.
    assert acceptor.lifetime is not None and 3500 < acceptor.lifetime <= 3900
    assert acceptor.cipher == initiator.cipher == "Kerberos AES256-SHA1"
    assert acceptor.session_key == initiator.session_key and len(acceptor.session_key) == 32


@pytest.mark.parametrize("sign_header", [True, False])
@pytest.mark.parametrize("level", [Level.PACKET, Level.INTEGRITY, Level.PRIVACY])
def test_what_is_protected_comes_through_in_both_directions(realm: Realm, level: Level, sign_header: bool) -> None:
    initiator, acceptor = realm.initiator(), realm.acceptor()
    shake(initiator, acceptor)
    for sender, taker in ((initiator, acceptor), (acceptor, initiator), (initiator, acceptor)):
        sealed, token = sender.protect(level, sign_header, HEAD, STUB, TRAILER)
        assert len(token) == sender.token_size(level, len(STUB)) and len(sealed) == len(STUB)
        assert (sealed == STUB) == (level != Level.PRIVACY)
        assert taker.unprotect(level, sign_header, HEAD, sealed, TRAILER, token) == STUB


@pytest.mark.parametrize("level", [Level.INTEGRITY, Level.PRIVACY])
@pytest.mark.parametrize("part", ["head", "stub", "trailer", "token"])
def test_a_change_anywhere_is_noticed(realm: Realm, level: Level, part: str) -> None:
    initiator, acceptor = realm.initiator(), realm.acceptor()
    shake(initiator, acceptor)
    sealed, token = initiator.protect(level, True, HEAD, STUB, TRAILER)
    pdu = {"head": HEAD, "stub": sealed, "trailer": TRAILER, "token": token}
    pdu[part] = pdu[part][:-1] + bytes([pdu[part][-1] ^ 1])
    assert acceptor.unprotect(level, True, pdu["head"], pdu["stub"], pdu["trailer"], pdu["token"]) is None


def test_what_is_only_signed_does_not_pass_as_sealed(realm: Realm) -> None:
    initiator, acceptor = realm.initiator(), realm.acceptor()
    shake(initiator, acceptor)
    stub, token = initiator.protect(Level.INTEGRITY, True, HEAD, STUB, TRAILER)
    assert acceptor.unprotect(Level.PRIVACY, True, HEAD, stub, TRAILER, token) is None


def test_a_principal_of_another_realm_is_nobody(realm: Realm) -> None:
    with pytest.raises(SecurityFailure):
        shake(realm.initiator(), realm.acceptor("OTHER.TEST"))


def test_a_ticket_for_another_host_is_refused(realm: Realm) -> None:
    with pytest.raises(SecurityFailure):
        shake(realm.initiator(host="other.example.test"), realm.acceptor())


def test_an_account_without_a_key_and_a_host_that_is_unknown(realm: Realm) -> None:
    for initiator in (realm.initiator("HUB9$"), realm.initiator(host="nowhere.example.test")):
        with pytest.raises(SecurityFailure):
            asyncio.run(initiator.step(b""))


def test_garbage_is_a_failure(realm: Realm) -> None:
    for token in (b"x", b"\x60\x05\x06\x03abc", bytes(70_000), b"\x6e\x82\x01\x00" + bytes(256)):
        with pytest.raises(SecurityFailure):
            asyncio.run(realm.acceptor().step(token))


def test_kerberos_is_there_only_with_a_realm_and_a_keytab(realm: Realm) -> None:
    directory = MachineDirectory()
    host = HostCredentials("mbx1", "example.test", "", realm.kdc.realm, realm.server)
    with_realm, without = Authenticator(directory, host), Authenticator(directory, HostCredentials("mbx1"))
    assert Mechanism.KERBEROS in with_realm.available_to(SERVERS) and Mechanism.KERBEROS in with_realm.available
    assert without.available_to(SERVERS) == {Mechanism.NTLM} and without.available == {Mechanism.BASIC}
    assert begin(without, AuthType.KERBEROS, PEER) is None and begin(with_realm, AuthType.KERBEROS, PEER) is not None
    assert begin(with_realm, 99, PEER) is None
    assert Initiators("CAS1$", HostCredentials()).begin(Mechanism.KERBEROS, HOST) is None
