"""Every refusal probe has a positive control: against a strict server it passes, against each weakness it fails.

covers: mail_checks, internet_checks, mail_probe, sasl_client, report, stranger
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from postern.model.security import Encryption, Mechanism
from postern.net.tls import validating_context
from postern.paths.ours import OURS
from postern.paths.row import Cells, Party, Port, Table, Tls, Wire
from postern.paths.row import Path as Row
from postern.paths.table import TABLE
from postern.verify.internet_checks import check_internet_row
from postern.verify.mail_checks import Setting, check_mail_row
from postern.verify.mail_probe import ImapConnection, Pop3Connection, SmtpConnection
from postern.verify.report import RowReport, Verdict
from postern.verify.sasl_client import Credentials
from postern.verify.stranger import stranger_context
from tests.verify.weak_server import Weakness, WeakServer, weak_server

pytestmark = pytest.mark.slow

CONNECTIONS = {"smtp": SmtpConnection, "imap": ImapConnection, "pop3": Pop3Connection}
MAIL_WEAKNESSES = [w for w in Weakness if w not in (Weakness.OPEN_RELAY, Weakness.ANY_RECIPIENT)]
NOTICED = {
    Weakness.CLEAR_LOGIN: "a password in clear text is refused",
    Weakness.SHOWS_BEFORE_TLS: "no mechanism is shown before TLS",
    Weakness.ANY_PASSWORD: "a wrong password by PLAIN is refused",
    Weakness.ANY_MECHANISM: "EXTERNAL is refused",
    Weakness.SHOWS_MORE: "only listed mechanisms are shown",
    Weakness.NO_UPGRADE: "port 1/TCP",
    Weakness.OLD_TLS: "TLS 1.1 is refused",
    Weakness.WRONG_CERTIFICATE: "CERTIFICATE_VERIFY_FAILED",
    Weakness.HIDES_LISTED: "is not shown",
    Weakness.REFUSES_RIGHT_PASSWORD: "Basic: PLAIN on port 1",
    Weakness.PUTS_OFF: "a wrong password by PLAIN is refused",
}
"""A word of the probe that must notice it: another one's failing would prove nothing."""
UPGRADE_ONLY = {Weakness.CLEAR_LOGIN, Weakness.SHOWS_BEFORE_TLS, Weakness.NO_UPGRADE}


def _row(tls: Tls) -> Row:
    return Row(
        id="imap4",
        table=Table.CLIENT_ACCESS,
        name="test",
        caller=(Party.CLIENT,),
        callee=Party.CLIENT_ACCESS,
        ports=(Port(1, Wire.TCP, tls),),
        default_auth=(Mechanism.BASIC,),
        supported_auth=(Mechanism.BASIC, Mechanism.KERBEROS),
        encryption=Encryption.REQUIRED,
        cells=Cells("", "", "", "", ""),
        seal="TLS",
    )


def _setting(protocol: str, server: WeakServer) -> Setting:
    return Setting(
        connect=lambda port, context: CONNECTIONS[protocol]("127.0.0.1", server.port, context, "server.example.test"),
        validating=validating_context(server.authority),
        stranger=stranger_context(server.authority, server.name),
        credentials=Credentials(server.name, server.password),
        waiting={Mechanism.KERBEROS: "no realm"},
        host_name="server.example.test",
        beside={1: frozenset({Mechanism.ANONYMOUS})},
    )


def _verify(protocol: str, tmp: Path, tls: Tls, *weaknesses: Weakness) -> RowReport:
    row = _row(tls)
    report = RowReport(row)
    with weak_server(protocol, tmp, tls is Tls.IMPLICIT, *weaknesses) as server:
        check_mail_row(row, row.ports, _setting(protocol, server), report)
    return report


@pytest.mark.parametrize("tls", [Tls.UPGRADE, Tls.IMPLICIT])
@pytest.mark.parametrize("protocol", CONNECTIONS)
def test_a_strict_server_passes(protocol: str, tls: Tls, tmp_path: Path) -> None:
    report = _verify(protocol, tmp_path, tls)
    assert report.verdict is Verdict.PASS, report.detail
    basic, kerberos = report.mechanisms
    assert basic.verdict is Verdict.PASS and basic.seal is not None and basic.seal.protocol >= "TLSv1.2"
    assert kerberos.verdict is Verdict.NOT_DEPLOYED and kerberos.detail == "no realm"
    assert all(check.passed for check in report.checks) and len(report.checks) > 5


@pytest.mark.parametrize("weakness", MAIL_WEAKNESSES)
@pytest.mark.parametrize("protocol", CONNECTIONS)
def test_each_weakness_is_noticed(protocol: str, weakness: Weakness, tmp_path: Path) -> None:
    report = _verify(protocol, tmp_path, Tls.UPGRADE, weakness)
    assert report.verdict is Verdict.FAIL, f"{weakness} went unnoticed by {protocol}"
    assert NOTICED[weakness] in report.detail


@pytest.mark.parametrize("weakness", [w for w in MAIL_WEAKNESSES if w not in UPGRADE_ONLY])
def test_each_weakness_is_noticed_behind_implicit_tls(weakness: Weakness, tmp_path: Path) -> None:
    report = _verify("imap", tmp_path, Tls.IMPLICIT, weakness)
    assert report.verdict is Verdict.FAIL and NOTICED[weakness] in report.detail


def test_a_mechanism_that_should_wait_must_not_be_shown(tmp_path: Path) -> None:
    row = dataclasses.replace(_row(Tls.UPGRADE), supported_auth=(Mechanism.BASIC,))
    with weak_server("imap", tmp_path) as server:
        setting = dataclasses.replace(_setting("imap", server), waiting={Mechanism.BASIC: "switched off"})
        report = RowReport(row)
        check_mail_row(row, row.ports, setting, report)
    assert report.verdict is Verdict.FAIL and "is shown, though switched off" in report.detail


INTERNET = next(row for row in OURS if row.id == "internet-to-hub")


def _internet(tmp: Path, *weaknesses: Weakness) -> RowReport:
    report = RowReport(INTERNET)
    with weak_server("smtp", tmp, False, *weaknesses) as server:
        check_internet_row(INTERNET.ports, _setting("smtp", server), report)
    return report


def test_the_door_to_strangers_passes(tmp_path: Path) -> None:
    report = _internet(tmp_path)
    assert report.verdict is Verdict.PASS, report.detail


@pytest.mark.parametrize(
    "weakness",
    [Weakness.OPEN_RELAY, Weakness.ANY_RECIPIENT, Weakness.NO_UPGRADE, Weakness.OLD_TLS, Weakness.WRONG_CERTIFICATE],
)
def test_each_weakness_of_the_door_to_strangers_is_noticed(weakness: Weakness, tmp_path: Path) -> None:
    assert _internet(tmp_path, weakness).verdict is Verdict.FAIL


@pytest.mark.parametrize(("weaknesses", "passes"), [((), True), ((Weakness.OPEN_RELAY,), False)])
def test_a_certificate_that_nobody_signed_opens_nothing(
    weaknesses: tuple[Weakness, ...], passes: bool, tmp_path: Path
) -> None:
    report = RowReport(TABLE["edge-to-edge"])
    with weak_server("smtp", tmp_path, False, *weaknesses) as server:
        check_internet_row(report.row.ports[:1], _setting("smtp", server), report)
    failed = {check.name for check in report.checks if not check.passed}
    assert ("relaying is refused with a certificate that nobody signed" not in failed) is passes
    assert report.verdict is (Verdict.PASS if passes else Verdict.FAIL)
    assert [found.mechanism for found in report.mechanisms] == [Mechanism.ANONYMOUS, Mechanism.CERTIFICATE]


def test_a_server_that_does_not_answer_fails(tmp_path: Path) -> None:
    with weak_server("imap", tmp_path) as server:
        setting = _setting("imap", server)
    report = RowReport(_row(Tls.UPGRADE))
    check_mail_row(report.row, report.row.ports, setting, report)
    assert report.verdict is Verdict.FAIL and "answers" in report.detail
