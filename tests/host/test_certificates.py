"""The organization's authority and the server's certificate, checked by OpenSSL and by a real handshake."""

from __future__ import annotations

import dataclasses
import datetime
import ssl
import stat
import subprocess
from collections.abc import Iterator

import pytest
import trustme
from cryptography import x509

from postern.host import certificates, configuration, state
from postern.model.organization import Organization, StateFolder
from postern.net.tls import server_context
from tests.host.folders import short_folder

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
ORGANIZATION = configuration.parse(configuration.DEFAULT.format(offset=0))


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with short_folder() as made:
        yield state.create(made)


def ensure(
    folder: StateFolder, now: datetime.datetime = NOW, organization: Organization = ORGANIZATION
) -> certificates.Certificates:
    return certificates.ensure(folder, organization, organization.servers[0], now)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """TLS between two buffers; raises ssl.SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = server.wrap_bio(up, down, server_side=True)
    other = client.wrap_bio(down, up, server_hostname=name)
    finished = set()
    for _ in range(10):
        for side in (other, one):
            try:
                side.do_handshake()
                finished.add(side)
            except ssl.SSLWantReadError:
                continue
    assert len(finished) == 2


@pytest.mark.parametrize(
    "name",
    [
        *("server1.example.test", "localhost", "example.test", "127.0.0.1"),
        *("autodiscover.example.test", "autoconfig.example.test"),
    ],
)
def test_clients_that_trust_the_authority_accept_every_name(folder: StateFolder, name: str) -> None:
    made = ensure(folder)
    client = ssl.create_default_context(cafile=str(made.authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    handshake(server_context(made.server), client, name)


def test_clients_that_trust_others_refuse_it(folder: StateFolder) -> None:
    made = ensure(folder)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server_context(made.server), ssl.create_default_context(), "localhost")


def test_openssl_finds_both_in_order(folder: StateFolder) -> None:
    made = ensure(folder)
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]
    done = subprocess.run([*command, made.authority, made.server.chain], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_keys_are_for_us_alone(folder: StateFolder) -> None:
    made = ensure(folder)
    for file in (made.server.key, folder.certificates / "ca.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_second_start_changes_nothing(folder: StateFolder) -> None:
    first = ensure(folder)
    before = first.server.chain.read_bytes()
    assert not ensure(folder, NOW + 300 * DAY).renewed
    assert first.server.chain.read_bytes() == before


def test_it_is_renewed_in_its_last_month_under_the_same_authority(folder: StateFolder) -> None:
    authority = ensure(folder).authority.read_bytes()
    later = ensure(folder, NOW + 370 * DAY)
    assert later.renewed
    assert later.expires > NOW + 700 * DAY
    assert later.authority.read_bytes() == authority


def test_an_authority_in_its_last_month_is_renewed_with_what_it_signed(folder: StateFolder) -> None:
    authority = ensure(folder).authority.read_bytes()
    later = ensure(folder, NOW + 3640 * DAY)
    assert later.renewed
    assert later.authority.read_bytes() != authority


def test_a_new_name_gets_a_new_certificate(folder: StateFolder) -> None:
    ensure(folder)
    server = dataclasses.replace(ORGANIZATION.servers[0], addresses=("127.0.0.1", "::1"))
    made = ensure(folder, organization=dataclasses.replace(ORGANIZATION, servers=(server,)))
    assert made.renewed
    handshake(server_context(made.server), ssl.create_default_context(cafile=str(made.authority)), "::1")


def test_a_certificate_from_elsewhere_is_never_replaced(folder: StateFolder) -> None:
    ensure(folder)
    theirs = trustme.CA().issue_cert("mail.example.test")
    theirs.private_key_pem.write_to_path(str(folder.certificates / "server.key"))
    theirs.cert_chain_pems[0].write_to_path(str(folder.certificates / "server.pem"))
    made = ensure(folder, NOW + 5000 * DAY)
    assert not made.renewed
    assert made.server.chain.read_bytes() == theirs.cert_chain_pems[0].bytes()
    assert made.expires == x509.load_pem_x509_certificate(theirs.cert_chain_pems[0].bytes()).not_valid_after_utc


def test_a_key_that_is_not_the_certificates_is_named(folder: StateFolder) -> None:
    ensure(folder)
    trustme.CA().issue_cert("x.test").private_key_pem.write_to_path(str(folder.certificates / "server.key"))
    with pytest.raises(certificates.CertificateError, match=r"server\.key is not the key of"):
        ensure(folder)


def test_what_is_no_certificate_is_never_overwritten(folder: StateFolder) -> None:
    (folder.certificates / "server.pem").write_text("mine")
    with pytest.raises(certificates.CertificateError, match=r"server\.pem is no certificate"):
        ensure(folder)
    assert (folder.certificates / "server.pem").read_text() == "mine"


def test_an_authority_without_its_key_cannot_sign(folder: StateFolder) -> None:
    ensure(folder)
    (folder.certificates / "ca.key").unlink()
    assert not ensure(folder).renewed
    with pytest.raises(certificates.CertificateError, match="no key here to sign with"):
        ensure(folder, NOW + 370 * DAY)
