"""Presence in the directory is the proof, and removal the revocation.

covers: owners
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from postern.model.directory import DirectoryUnavailable, TrustedCertificate
from postern.model.organization import Role
from postern.model.security import Mechanism, PrincipalKind
from postern.trust.certificates.authorities import Authorities
from postern.trust.certificates.direct_trust import DirectTrust
from postern.trust.certificates.owners import PeerCertificates
from tests.certificates import DAY, Made, authority, make


class Published:
    """What the directory has; None: it does not answer."""

    def __init__(self, *entries: TrustedCertificate) -> None:
        self.entries: tuple[TrustedCertificate, ...] | None = entries

    async def trusted_certificates(self) -> tuple[TrustedCertificate, ...]:
        if self.entries is None:
            raise DirectoryUnavailable
        return self.entries


def entry(made: Made | bytes, server: str = "edge1", role: Role = Role.EDGE) -> TrustedCertificate:
    return TrustedCertificate(server, f"{server}.example.test", role, made if isinstance(made, bytes) else made.der)


def read(published: Published, role: Role = Role.EDGE, days: float = 0) -> DirectTrust:
    trust = DirectTrust(published, role, clock=lambda: time.time() + days * DAY.total_seconds())
    asyncio.run(trust.refresh())
    return trust


@pytest.mark.parametrize("signer", [None, authority()])
def test_who_is_in_the_directory_is_that_server_whoever_signed(signer: Made | None) -> None:
    made = make("edge1.example.test", signer)
    identity = read(Published(entry(made))).identify(made.der)
    assert identity is not None
    assert (identity.kind, identity.name, identity.mechanism) == (
        PrincipalKind.SERVER,
        "edge1",
        Mechanism.DIRECT_TRUST,
    )


def test_the_same_name_and_even_the_same_key_are_not_enough() -> None:
    made = make("edge1.example.test")
    trust = read(Published(entry(made)))
    assert trust.identify(make("edge1.example.test").der) is None
    assert trust.identify(make("edge1.example.test", key=made.key).der) is None
    assert trust.identify(made.der + b"\0") is None and trust.identify(b"") is None


def test_another_roles_certificate_is_nobodys_here() -> None:
    made = make("hub1.example.test")
    published = Published(entry(made, "hub1", Role.HUB))
    assert read(published, Role.EDGE).identify(made.der) is None
    assert read(published, Role.HUB).is_of(made.der, "hub1")


@pytest.mark.parametrize(("days", "good"), [(0, True), (29, True), (31, False), (-2, False)])
def test_only_within_its_dates(days: float, good: bool) -> None:
    made = make("edge1.example.test")
    assert (read(Published(entry(made)), days=days).identify(made.der) is not None) is good


def test_a_server_has_several_while_it_renews_and_each_server_its_own() -> None:
    old, new, other = make("edge1.example.test"), make("edge1.example.test"), make("edge2.example.test")
    trust = read(Published(entry(old), entry(new), entry(other, "edge2")))
    assert trust.is_of(old.der, "edge1") and trust.is_of(new.der, "edge1") and trust.is_of(other.der, "edge2")
    assert not trust.is_of(other.der, "edge1")


def test_what_is_removed_is_refused_and_what_cannot_be_asked_stays() -> None:
    made = make("edge1.example.test")
    published = Published(entry(made), entry(b"no certificate", "edge9"))

    async def test() -> None:
        trust = DirectTrust(published, Role.EDGE)
        await trust.start()
        assert trust.identify(made.der) is not None
        entries, published.entries = published.entries, None
        await trust.refresh()
        assert trust.identify(made.der) is not None
        published.entries = entries[1:] if entries else ()
        await trust.refresh()
        assert trust.identify(made.der) is None
        await trust.stop()

    asyncio.run(test())


def test_direct_trust_comes_before_authorities(tmp_path: Path) -> None:
    root = authority()
    (tmp_path / "ca.pem").write_bytes(root.write(tmp_path).chain.read_bytes())
    ours, theirs = make("edge1.example.test", root), make("mx.other.test", root)
    both = PeerCertificates(read(Published(entry(ours))), Authorities(tmp_path / "ca.pem"))
    found = [both.identify(made.chain) for made in (ours, theirs, make("mx.other.test"))]
    assert [one and one.mechanism for one in found] == [Mechanism.DIRECT_TRUST, Mechanism.CERTIFICATE, None]
    assert both.vouch(theirs.chain, "mx.other.test") and not both.is_of(theirs.chain, "edge1")
    assert PeerCertificates().identify(ours.chain) is None
    assert both.identify(()) is None
