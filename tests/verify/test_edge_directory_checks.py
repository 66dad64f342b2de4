"""The edge's directory as it is passes; a laxer one, and every account that should not be, is noticed by its check.

covers: edge_directory_checks, ldap_tools, tls_probe
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator

import pytest

from postern.model.directory import TrustedCertificate
from postern.model.organization import Profile, Role
from postern.model.security import Mechanism
from postern.verify import edge_directory_checks, unix_sockets
from postern.verify.ldap_tools import UNREACHED, ask
from postern.verify.report import RowReport, Verdict
from postern.verify.runner import dial
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject
from tests.certificates import make
from tests.verify.weak_adam import PASSWORD, Adam, add_account, layout, running_adam

pytestmark = [pytest.mark.slow, pytest.mark.slapd]


def _verify(row: str, subject: Subject) -> RowReport:
    report = RowReport(subject.rows[row])
    with pytest.MonkeyPatch.context() as patch:
        # Root verifies as the state folder's owner (`host.probes`).
        owner = subject.sockets.stat().st_uid
        patch.setattr(unix_sockets.os, "geteuid", lambda: owner)
        dial(report.row, subject, report)
    return report


def _failed(report: RowReport) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


@pytest.fixture(scope="module")
def strict() -> Iterator[Adam]:
    with running_adam() as made:
        yield made


def test_the_edge_s_directory_passes(strict: Adam) -> None:
    sync, local = _verify("edgesync", strict.hub), _verify("edge-adam", strict.edge)
    assert sync.verdict is Verdict.PASS, sync.detail
    assert local.verdict is Verdict.PASS, local.detail
    assert sync.json()["observed"]["auth"] == ["Basic"] and sync.ports == ["50636/TCP (SSL)"]
    assert local.json()["observed"]["auth"] == ["NTLM", "Peer credentials"]
    assert "Kerberos not deployed: the edge has no keytab" in local.detail
    assert local.ports == ["50389/TCP (TLS)", "unix socket (ldapi)"]
    assert len(sync.checks) >= 18 and len(local.checks) >= 15
    assert PASSWORD not in repr(strict.hub)


def test_a_lax_directory_is_noticed() -> None:
    """Anybody is admitted and may write, in clear text and by TLS 1.1."""
    with running_adam(lax=True) as lax:
        asyncio.run(lax.change(layout.SERVICE, pwdEndTime=b""))
        sync, local = _verify("edgesync", lax.hub), _verify("edge-adam", lax.edge)
    assert {
        "an anonymous caller is refused",
        "a name without password is refused",
        "a password in clear text is refused on port 50389",
        "TLS 1.1 is refused on port 50636",
        "the account reads no accounts",
        "the account reads no requests for accounts",
        "the account makes no other accounts",
    } <= _failed(sync)
    assert {
        "an anonymous caller on port 50389 is refused",
        "an anonymous caller on the unix socket is refused",
        "a password in clear text is refused on port 50389",
        "NTLM in clear text on port 50389 is refused",
        "Basic on port 50389 is refused",
        "TLS 1.1 is refused on port 50389",
    } <= _failed(local)


def test_accounts_that_should_not_be_are_noticed(strict: Adam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_directory_checks, "_NOBODY", f"cn=verify-somebody,{layout.ACCOUNTS}")
    asyncio.run(add_account(strict, f"cn=verify-somebody,{layout.ACCOUNTS}"))
    assert "an unknown account is refused" in _failed(_verify("edgesync", strict.hub))


def test_a_password_that_is_not_the_account_s_is_noticed(strict: Adam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_directory_checks.secrets, "token_urlsafe", lambda size: PASSWORD)
    assert _failed(_verify("edgesync", strict.hub)) == {"a wrong password is refused"}
    monkeypatch.setattr(edge_directory_checks.secrets, "token_urlsafe", lambda size: strict.edge.service.password)
    assert _failed(_verify("edge-adam", strict.edge)) == {"a wrong password by NTLM on port 50389 is refused"}


def test_another_certificate_gets_no_password(strict: Adam) -> None:
    other = TrustedCertificate("edge1", "edge1.example.test", Role.EDGE, make("edge1.example.test").der)
    report = _verify("edgesync", dataclasses.replace(strict.hub, trusted=(other,)))
    assert _failed(report) == {"the certificate on port 50636 is the one that is known"} and not report.mechanisms
    assert report.verdict is Verdict.FAIL


def test_an_account_that_is_over_fails(strict: Adam) -> None:
    wrong = Credentials(f"cn=gone,{layout.ACCOUNTS}", PASSWORD)
    (account,) = strict.hub.replication["edge1"]
    report = _verify("edgesync", dataclasses.replace(strict.hub, replication={"edge1": (wrong,)}))
    assert report.verdict is Verdict.FAIL and "Basic: " in report.detail and "(49)" in report.detail
    # As EdgeSync does: the next one may be good.
    assert (
        _verify("edgesync", dataclasses.replace(strict.hub, replication={"edge1": (wrong, account)}))
        .mechanisms[0]
        .verdict
        is Verdict.PASS
    )
    none = _verify("edgesync", dataclasses.replace(strict.hub, replication={}))
    assert none.verdict is Verdict.FAIL and "no account on edge1" in none.detail


@pytest.mark.parametrize(("sites", "words"), [({}, "not subscribed"), ({"edge1": "Branch"}, "the site Branch")])
def test_an_edge_of_others_is_none_of_this_hub_s_business(sites: dict[str, str], words: str, strict: Adam) -> None:
    report = _verify("edgesync", dataclasses.replace(strict.hub, subscribed=sites))
    assert report.verdict is Verdict.NOT_DEPLOYED and words in report.detail


def test_an_open_port_without_tls_is_noticed(strict: Adam, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only on one host the edge's own 50389 can be seen by a hub."""
    monkeypatch.setattr(edge_directory_checks, "_loopback", lambda address: False)
    assert "port 50389 is closed to hubs" in _failed(_verify("edgesync", strict.hub))


def test_a_socket_that_others_can_open_is_noticed(strict: Adam) -> None:
    folder = strict.state.sockets / "adam"
    folder.chmod(0o755)
    try:
        assert _failed(_verify("edge-adam", strict.edge)) == {"the folder of ldapi is closed to other accounts"}
    finally:
        folder.chmod(0o700)


def test_the_reference_asks_for_no_tls_but_takes_no_password_without() -> None:
    with running_adam(Profile.REFERENCE) as made:
        sync, local = _verify("edgesync", made.hub), _verify("edge-adam", made.edge)
    assert sync.verdict is Verdict.PASS, sync.detail
    assert local.verdict is Verdict.PASS, local.detail
    assert sync.ports == ["50636/TCP (SSL)", "50389/TCP (no SSL)"] and local.ports == ["50389/TCP (no SSL)"]
    assert [found.mechanism for found in local.mechanisms] == [Mechanism.NTLM, Mechanism.KERBEROS]


def test_silence_is_no_refusal(strict: Adam) -> None:
    gone = dataclasses.replace(
        strict.hub, organization=dataclasses.replace(strict.organization, offset=strict.organization.offset + 1)
    )
    report = _verify("edgesync", gone)
    assert report.verdict is Verdict.FAIL and "port 50636/TCP speaks TLS" in report.detail
    assert ask("ldapwhoami", "ldap://127.0.0.1:1", "-x").status == UNREACHED
    assert ask("no-such-tool", "ldap://127.0.0.1:1").status == UNREACHED
