"""Which chains validate for a stranger, as client and as server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from postern.model.security import PrincipalKind
from postern.net.tls import authorities_file
from postern.trust.certificates.authorities import Authorities
from tests.certificates import DAY, Made, authority, make

HOST = "mx.other.test"
ROOT = authority("Root")
MIDDLE = authority("Middle", ROOT)


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    return ROOT.write(tmp_path).chain


def using(*usages: x509.ObjectIdentifier) -> Made:
    extensions = (
        (x509.SubjectAlternativeName([x509.DNSName(HOST)]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(ROOT.key.public_key()), False),
        (x509.ExtendedKeyUsage(list(usages)), False),
    )
    return make(HOST, ROOT, extensions=extensions)


@pytest.mark.parametrize(
    "made",
    [
        make(HOST, ROOT),
        make(HOST, MIDDLE),
        using(ExtendedKeyUsageOID.SERVER_AUTH),
        using(ExtendedKeyUsageOID.CLIENT_AUTH),
    ],
    ids=["direct", "intermediate", "for servers only", "for clients only"],
)
def test_a_chain_to_an_authority_is_good_on_either_side(made: Made, ca_file: Path) -> None:
    judge = Authorities(ca_file)
    identity = judge.identify(made.chain)
    assert identity is not None and (identity.kind, identity.name) == (PrincipalKind.PEER, HOST)
    assert judge.vouch(made.chain, HOST) and judge.vouch(made.chain, HOST.upper())
    assert not judge.vouch(made.chain, "other.test") and not judge.vouch(made.chain, "192.0.2.1")


def test_a_host_in_letters_is_the_one_that_the_certificate_names(ca_file: Path) -> None:
    """RFC 9525 section 6.3: names are compared as A-labels."""
    judge, made = Authorities(ca_file), make("mail.xn--vf4b131b.test", ROOT)
    for host in ("mail.회사.test", "mail.xn--vf4b131b.test", "Mail.XN--VF4B131B.Test"):
        assert judge.vouch(made.chain, host), host
    assert not judge.vouch(made.chain, "mail.회의.test")


@pytest.mark.parametrize(
    "chain",
    [
        make(HOST).chain,
        make(HOST, authority("Root")).chain,
        make(HOST, MIDDLE).chain[:1],
        make(HOST, ROOT, days=(-10, -1)).chain,
        make(HOST, ROOT, days=(1, 10)).chain,
        make(HOST, make("no.authority.test", ROOT)).chain,
        make(HOST, ROOT, key=rsa.generate_private_key(65537, 1024)).chain,
        make(HOST, ROOT, extensions=()).chain,
        using(ExtendedKeyUsageOID.CODE_SIGNING).chain,
        (b"no certificate",),
        (),
    ],
    ids=[
        *("self-signed", "another authority of that name", "without its intermediate", "ended", "not begun"),
        *("signed by a server", "short key", "no name", "for code", "garbage", "nothing"),
    ],
)
def test_everything_else_is_not(chain: tuple[bytes, ...], ca_file: Path) -> None:
    judge = Authorities(ca_file)
    assert judge.identify(chain) is None
    assert not judge.vouch(chain, HOST)


def test_what_was_good_ends(ca_file: Path) -> None:
    made = make(HOST, ROOT)
    assert Authorities(ca_file).vouch(made.chain, HOST)
    assert not Authorities(ca_file, lambda: time.time() + 31 * DAY.total_seconds()).vouch(made.chain, HOST)


def test_what_cannot_be_read_in_a_bundle_is_passed_over(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bad = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    bundle.write_bytes(b"# a comment\n" + bad + ROOT.write(tmp_path).chain.read_bytes() + bad)
    assert Authorities(bundle).vouch(make(HOST, ROOT).chain, HOST)
    bundle.write_bytes(bad)
    with pytest.raises(ValueError, match="empty store"):
        Authorities(bundle)
    with pytest.raises(OSError):
        Authorities(tmp_path / "missing")


@pytest.mark.skipif(authorities_file("") is None, reason="this machine has no bundle of authorities")
def test_the_machines_own_bundle_can_be_read(recwarn: pytest.WarningsRecorder) -> None:
    file = authorities_file("")
    assert file is not None
    assert not Authorities(file).vouch(make(HOST, ROOT).chain, HOST)
    assert not recwarn.list


def test_many_authorities_of_one_name_are_no_maze(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine certificates that each could have signed each other: only one of them is followed."""
    base = authority("Loop")
    loops = [make("Loop", Made(base.certificate, base.key), key=base.key, ca=True) for _ in range(9)]
    followed: list[int] = []

    class Verifier:
        def __init__(self, real: object) -> None:
            self.real = real

        def verify(self, leaf: x509.Certificate, others: list[x509.Certificate]) -> object:
            followed.append(len(others))
            return self.real.verify(leaf, others)

    judge = Authorities(ca_file)
    policy = judge._policy()

    class Policy:
        def build_client_verifier(self) -> Verifier:
            return Verifier(policy.build_client_verifier())

    monkeypatch.setattr(judge, "_policy", Policy)
    assert judge.identify((make(HOST, base).der, *(loop.der for loop in loops))) is None
    assert followed == [1]
