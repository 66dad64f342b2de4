"""With a realm: Kerberos, NTLM, SCRAM and Digest pass on every row that lists them, under each profile, against an MIT KDC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.model.organization import Profile
from postern.model.security import Mechanism
from postern.paths.table import settle
from tests.trust.kdc import Kdc, installed
from tests.verify.realm import realm, start

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
def prepared() -> Iterator[tuple[Kdc, Path]]:
    with realm() as made:
        yield made


@pytest.mark.parametrize("profile", Profile)
def test_every_listed_mechanism_passes(profile: Profile, prepared: tuple[Kdc, Path]) -> None:
    kdc, state = prepared
    organization = start(kdc, state, profile)
    try:
        for mechanism in ("digest", "ntlm", "scram"):
            organization.command("domain", "auth", "enable", mechanism)
        if profile is Profile.REFERENCE:  # the first: the others find them enabled at their start
            organization.stop()
            organization = start(kdc, state, profile)
        reports = organization.verify()
    finally:
        if organization.process.poll() is None:
            organization.stop()
    settled = settle(profile)
    assert not [report["detail"] for report in reports.values() if report["verdict"] == "fail"]
    for name in ROWS:
        report = reports[name]
        assert report["verdict"] == "pass", f"{name}: {report['detail']}"
        # No door asks for a client's certificate yet; the report says so.
        asked = (mechanism for mechanism in settled[name].supported_auth if mechanism is not Mechanism.CERTIFICATE)
        listed = [str(mechanism) for mechanism in asked]
        assert report["observed"]["auth"] == listed, f"{name}: {report['mechanisms']}"
        seals = {found["mechanism"]: found["encryption"] for found in report["mechanisms"]}
        if Mechanism.KERBEROS in settled[name].supported_auth:
            sealed = "RPC privacy Kerberos AES256-SHA1" if settled[name].seal == "RPC privacy" else "TLSv1.3 "
            assert seals["Kerberos"].startswith(sealed)
        failed = [check for check in report["checks"] if not check["passed"]]
        assert report["checks"] and not failed
    assert "NTLM is refused" in _names(reports["cas-to-mailbox"]) or profile is not Profile.HARDENED
    assert "a spoiled ticket by GSSAPI is refused on port 993" in _names(reports["imap4"])
    assert "a user's account by Kerberos is refused" in _names(reports["cas-to-mailbox"])


def _names(report: dict) -> set[str]:
    return {check["name"] for check in report["checks"]}
