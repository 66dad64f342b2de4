"""With a realm: Kerberos, NTLM, SCRAM and Digest pass on every row that lists them, under each profile, against an MIT KDC."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.model.organization import Profile
from postern.model.security import Mechanism
from postern.paths.table import settle
from tests.organization import Organization
from tests.support.client_certificates import UserAuthority
from tests.trust.kdc import Kdc, installed
from tests.verify.realm import ASKING, realm, start

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slapd,
    pytest.mark.slow,
    pytest.mark.skipif(not installed(), reason="MIT's krb5-kdc is not installed"),
]

ROWS = (
    "internet-to-hub", "client-to-hub-smtp", "imap4", "pop3", "mailbox-to-hub-submission", "hub-to-mailbox-mapi",
    "cas-to-mailbox", "autodiscover", "caldav", "carddav",
)  # fmt: skip


@pytest.fixture(scope="module")
def prepared() -> Iterator[tuple[Kdc, Path, UserAuthority]]:
    with realm() as made:
        yield made


@pytest.mark.parametrize("profile", Profile)
def test_every_listed_mechanism_passes(profile: Profile, prepared: tuple[Kdc, Path, UserAuthority]) -> None:
    kdc, state, people = prepared
    organization = start(kdc, state, profile)
    try:
        for mechanism in ("digest", "ntlm", "scram"):
            organization.command("domain", "auth", "enable", mechanism)
        if profile is Profile.REFERENCE:  # the first: the others find them enabled at their start
            organization.stop()
            organization = start(kdc, state, profile)
        reports = organization.verify()
        if profile is Profile.HARDENED:
            _curl_shows_certificates(organization, people)
    finally:
        if organization.process.poll() is None:
            organization.stop()
    settled = settle(profile)
    assert not [report["detail"] for report in reports.values() if report["verdict"] == "fail"]
    for name in ROWS:
        report = reports[name]
        assert report["verdict"] == "pass", f"{name}: {report['detail']}"
        listed = [str(mechanism) for mechanism in settled[name].supported_auth]
        assert report["observed"]["auth"] == listed, f"{name}: {report['mechanisms']}"
        seals = {found["mechanism"]: found["encryption"] for found in report["mechanisms"]}
        if Mechanism.KERBEROS in settled[name].supported_auth:
            sealed = "RPC privacy Kerberos AES256-SHA1" if settled[name].seal == "RPC privacy" else "TLSv1.3 "
            assert seals["Kerberos"].startswith(sealed)
        failed = [check for check in report["checks"] if not check["passed"]]
        assert report["checks"] and not failed
    tried = "a certificate of a disabled account is refused" in _names(reports["caldav"])
    assert tried is (profile is Profile.HARDENED)
    assert "NTLM is refused" in _names(reports["cas-to-mailbox"]) or profile is not Profile.HARDENED
    assert "a spoiled ticket by GSSAPI is refused on port 993" in _names(reports["imap4"])
    assert "a user's account by Kerberos is refused" in _names(reports["cas-to-mailbox"])


def _curl_shows_certificates(organization: Organization, people: UserAuthority) -> None:
    """One by its name in it, one that is registered; neither once the account is disabled."""
    alice, bob = organization.add_user("alice"), organization.add_user("bob")
    named, _ = people.issue(alice)
    unnamed, _ = people.issue()
    assert _curl(organization, unnamed).stdout == "401"
    unnamed.chmod(0o644)
    organization.command("user", "certificate", "add", "bob", str(unnamed))
    for file in (named, unnamed):
        assert _curl(organization, file).stdout == "207"
    certificate = organization.command("certificate", "renew").stdout
    assert "renewed" in certificate
    assert _curl(organization, named).stdout == "207", "the name is in the new one too"
    for address, file in ((alice, named), (bob, unnamed)):
        organization.command("user", "disable", address)
        assert _curl(organization, file).stdout == "401"
    assert _curl(organization, None).stdout == "401"
    gone, certificate_of_gone = people.issue(alice)
    people.revoke(certificate_of_gone)
    deadline = time.monotonic() + 15
    while "alert" not in (said := _curl(organization, gone).stderr) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert "revoked" in said, "the list is taken up within seconds"


def _curl(organization: Organization, file: Path | None) -> subprocess.CompletedProcess[str]:
    port, shown = organization.port(443), ["--cert", str(file)] if file is not None else []
    words = (
        *("curl", "-sS", "-m", "20", "--cacert", str(organization.authority), "-o", "/dev/null", "-w", "%{http_code}"),
        *("-X", "PROPFIND", "-H", "Depth: 0", *shown),
        *("--resolve", f"{ASKING}:{port}:127.0.0.1", f"https://{ASKING}:{port}/dav/"),
    )
    return subprocess.run(words, capture_output=True, text=True)


def _names(report: dict) -> set[str]:
    return {check["name"] for check in report["checks"]}
