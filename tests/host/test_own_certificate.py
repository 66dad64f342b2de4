"""The server's certificate in place: whose it is, who renews it, and what takes its place."""

from __future__ import annotations

import datetime
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from postern.host import acme_record, certificates, configuration, own_certificate, state
from postern.host.acme_record import AcmeRecord
from postern.host.own_certificate import Source
from postern.model.organization import StateFolder
from postern.net.tls import server_context
from postern.trust.certificates.chains import ChainError, names_in
from tests.certificates import Made, authority, make
from tests.host.folders import short_folder

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
ORGANIZATION = configuration.parse(configuration.DEFAULT.format(offset=0))
SERVER = ORGANIZATION.servers[0]
ROOT = authority("Another authority")
OWN = make(SERVER.fqdn, ROOT, days=(-1, 90))


def never() -> str:
    raise AssertionError("nothing is encrypted")


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with short_folder() as made:
        folder = state.create(made)
        certificates.ensure(folder, ORGANIZATION, SERVER, NOW)
        yield folder


def text(made: Made, key: bool = True) -> bytes:
    pem = made.certificate.public_bytes(Encoding.PEM) + ROOT.certificate.public_bytes(Encoding.PEM)
    return pem + (made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) if key else b"")


def bring(folder: StateFolder, made: Made = OWN) -> None:
    own_certificate.install(folder, own_certificate.judged(folder, ORGANIZATION, SERVER, text(made), None, never))


def here(folder: StateFolder) -> own_certificate.InPlace:
    found = own_certificate.in_place(folder)
    assert found is not None
    return found


def test_the_first_one_is_the_local_authoritys(folder: StateFolder) -> None:
    assert here(folder).source is Source.LOCAL and len(here(folder).chain) == 2
    assert own_certificate.authority(folder) == here(folder).chain[1]
    assert own_certificate.trusted_by_clients(folder, ORGANIZATION) == str(folder.certificates / "ca.pem")


def test_an_own_one_takes_its_place_and_no_automatic_one_does(folder: StateFolder) -> None:
    before = certificates.place(folder).key.read_bytes()
    bring(folder)
    assert here(folder).source is Source.OWN and here(folder).leaf == OWN.certificate
    for later in (0, 60, 200):
        assert not certificates.ensure(folder, ORGANIZATION, SERVER, NOW + later * DAY).renewed
    assert here(folder).leaf == OWN.certificate
    assert (folder.certificates / "former.key").read_bytes() == before
    server_context(certificates.place(folder))
    assert own_certificate.trusted_by_clients(folder, ORGANIZATION) == str(folder.certificates / "root.pem")
    for name in ("server.key", "former.key"):
        assert stat.S_IMODE((folder.certificates / name).stat().st_mode) == 0o600


def test_what_is_refused_changes_nothing(folder: StateFolder) -> None:
    before = here(folder)
    with pytest.raises(ChainError, match=r"does not name server1\.example\.test"):
        bring(folder, make("other.test", ROOT))
    assert here(folder) == before


def test_one_returns_to_the_local_authority(folder: StateFolder) -> None:
    first = here(folder).leaf
    bring(folder)
    own_certificate.renew_locally(folder, ORGANIZATION, SERVER)
    assert here(folder).source is Source.LOCAL and here(folder).leaf != first
    assert not (folder.certificates / "root.pem").exists()
    assert own_certificate.authority(folder) == here(folder).chain[1], "the authority stays"


@pytest.mark.parametrize("by_rsa", [False, True])
def test_a_request_keeps_its_key_until_the_certificate_comes(folder: StateFolder, by_rsa: bool) -> None:
    names = ORGANIZATION.names_of(SERVER)
    pem = own_certificate.request(folder, names, by_rsa, anew=False)
    done = subprocess.run(["openssl", "req", "-verify", "-noout"], input=pem, capture_output=True)
    assert done.returncode == 0, done.stderr
    asked = x509.load_pem_x509_csr(own_certificate.request(folder, (SERVER.fqdn,), by_rsa, anew=False))
    key = asked.public_key()
    assert isinstance(key, rsa.RSAPublicKey if by_rsa else ec.EllipticCurvePublicKey)
    assert key == x509.load_pem_x509_csr(pem).public_key(), "the same until it is there"
    assert names_in(asked) == (SERVER.fqdn,)
    assert here(folder).source is Source.LOCAL, "nothing is shown before it comes"
    private = own_certificate._key(folder.certificates / "request.key")
    assert private is not None
    issued = make(SERVER.fqdn, ROOT, days=(-1, 90), key=private)
    chain = own_certificate.judged(folder, ORGANIZATION, SERVER, text(issued, key=False), None, never)
    own_certificate.install(folder, chain)
    assert here(folder).leaf == issued.certificate
    assert own_certificate.requested(folder) is None and not (folder.certificates / "request.key").exists()
    again = make(SERVER.fqdn, ROOT, days=(-1, 120), key=private)  # renewed by its authority, with the key in use
    own_certificate.judged(folder, ORGANIZATION, SERVER, text(again, key=False), None, never)


def test_another_request_may_have_another_key(folder: StateFolder) -> None:
    one, other = (x509.load_pem_x509_csr(own_certificate.request(folder, ("a.test",), False, anew=True)) for _ in "ab")
    assert one.public_key() != other.public_key()


def test_the_doors_are_those_with_tls(folder: StateFolder) -> None:
    shown = dict(own_certificate.doors(ORGANIZATION, SERVER))
    assert shown[993] == ("imap4",) and shown[143] == ("imap4",) and "internet-to-hub" in shown[25]
    assert not {135, 22, 5432, 389, 20000} & set(shown)


def test_what_is_damaged_is_said(folder: StateFolder) -> None:
    certificates.place(folder).chain.write_text("hello")
    with pytest.raises(certificates.CertificateError, match=r"server\.pem is no certificate"):
        own_certificate.in_place(folder)
    certificates.place(folder).chain.unlink()
    assert own_certificate.in_place(folder) is None


def ordered(fingerprint: str) -> AcmeRecord:
    return AcmeRecord("https://authority.example/directory", "", ("mail.example.test",), certificate=fingerprint)


def test_a_record_of_acme_counts_for_its_own_certificate_alone(folder: StateFolder, tmp_path: Path) -> None:
    record = folder.certificates / "acme.json"
    bring(folder)
    acme_record.keep(folder, ordered(own_certificate.fingerprint(OWN.certificate)))
    assert here(folder).source is Source.ACME
    acme_record.keep(folder, ordered("of another"))
    assert here(folder).source is Source.OWN
    record.write_text("[]")
    assert here(folder).source is Source.OWN


def test_what_ends_soon_is_known_thirty_days_ahead(folder: StateFolder) -> None:
    def names(days: float) -> list[str]:
        return [name for name, _ in own_certificate.expiring(folder, NOW + days * DAY)]

    assert names(0) == names(366) == [] and names(368) == ["server"]
    assert names(3600) == ["server"] and names(3625) == ["server", "authority"]
    bring(folder)  # it ends in 90 days, and this host does not renew it
    assert names(59) == [] and names(61) == ["server"]
    acme_record.keep(folder, ordered(own_certificate.fingerprint(OWN.certificate)))
    assert names(61) == [] and names(68) == ["server"], "renewal had its time"
