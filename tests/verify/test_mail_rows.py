"""The setting that a mail row is asked in: whose account, whose certificate, and what the door's other rows list."""

from __future__ import annotations

from pathlib import Path

import pytest

from postern.model.organization import AcceptedDomain, Organization, Profile, Role, Server
from postern.model.security import Mechanism
from postern.paths.table import settle
from postern.verify import mail_rows
from postern.verify.mail_checks import Setting
from postern.verify.probes import PROBES
from postern.verify.report import RowReport
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject
from tests.certificates import make

HUBS = tuple(Server(f"hub{n}", f"hub{n}.example.test", frozenset({Role.HUB}), (f"127.0.0.{n}",)) for n in (1, 2))


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    authority = make("authority.example.test", ca=True).write(tmp_path).chain
    return Subject(
        organization=Organization("x", (AcceptedDomain("example.test"),), HUBS),
        here=HUBS[0],
        rows=settle(Profile.PRACTICAL),
        authority=authority,
        probe=Credentials("probe@example.test", "p"),
        machine=Credentials("HUB1$", "m"),
        service=Credentials("", ""),
        enabled=frozenset(),
        sockets=tmp_path,
    )


def _settings(
    row: str, subject: Subject, servers: tuple[Server, ...], monkeypatch: pytest.MonkeyPatch
) -> list[Setting]:
    asked: list[Setting] = []
    for name in ("check_mail_row", "check_internet_row"):
        monkeypatch.setattr(mail_rows, name, lambda *values: asked.append(values[-2]))
    run = PROBES[row].run
    assert run is not None
    run(subject.rows[row], servers, subject, RowReport(subject.rows[row]))
    return asked


def test_each_server_is_asked_by_the_account_of_the_row(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    for row, who in (("hub-to-hub", "HUB1$"), ("client-to-hub-smtp", "probe@example.test")):
        settings = _settings(row, subject, HUBS, monkeypatch)
        assert [setting.host_name for setting in settings] == [hub.fqdn for hub in HUBS]
        assert {setting.credentials.name for setting in settings} == {who}


def test_our_own_certificate_is_validated_and_anothers_is_not(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, another = _settings("hub-to-hub", subject, HUBS, monkeypatch)
    assert own.validating.check_hostname and not another.validating.check_hostname


def test_what_the_doors_other_rows_list_is_no_fault_of_a_row(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    (setting,) = _settings("internet-to-hub", subject, HUBS[:1], monkeypatch)
    assert setting.beside[25] >= {Mechanism.KERBEROS, Mechanism.BASIC, Mechanism.SCRAM}
    assert setting.beside[587] == set(subject.rows["client-to-hub-smtp"].supported_auth)
