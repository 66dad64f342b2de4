"""The probe of names that ask for certificates passes a door that does what its row says, and sees what is wrong with others."""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvloop

from postern.host import client_authorities
from postern.model.directory import CLOSED_PROBE, PROBE
from postern.model.organization import ClientCertificates
from postern.model.security import Mechanism
from postern.net.tls import Certificate
from postern.verify.report import RowReport, Verdict
from postern.verify.sasl_client import Credentials
from postern.verify.web_checks import WebRow
from tests.services.http.asking import ASKING, DAV, AskingDoor
from tests.transport.world import organization

NAME, CLOSED = f"{PROBE}@example.test", f"{CLOSED_PROBE}@example.test"


@pytest.fixture
def authority(tmp_path: Path) -> Certificate:
    made = Certificate(tmp_path / "probe.pem", tmp_path / "probe.key")
    client_authorities._make(made, datetime.datetime.now(datetime.UTC))
    return made


def report_of(door: AskingDoor, authority: Certificate | None, name: str = "here") -> RowReport:
    certified = ClientCertificates((ASKING,), str(door.people_authority.file)) if authority is not None else None
    known = replace(organization(offset=door.port - 443), client_certificates=certified)
    server = SimpleNamespace(addresses=("127.0.0.1",), fqdn="localhost", name=name)
    subject = SimpleNamespace(
        organization=known,
        here=SimpleNamespace(name="here"),
        authority=door.folder / "ca.pem",
        probe=Credentials(NAME, "secret"),
        enabled=frozenset(),
        probe_authority=authority,
        closed=CLOSED,
    )
    report = RowReport(DAV)
    WebRow("/dav/")(DAV, cast(Any, [server]), cast(Any, subject), report)
    return report


def asked(door: AskingDoor, authority: Certificate | None, name: str = "here", is_open: bool = False) -> RowReport:
    async def run() -> RowReport:
        door.people.add(NAME, "secret")
        door.people.add(CLOSED, "secret", enabled=is_open)
        async with door.serving():
            return await asyncio.to_thread(report_of, door, authority, name)

    return uvloop.run(run())


def verdict(report: RowReport) -> Verdict:
    [found] = [each.verdict for each in report.mechanisms if each.mechanism is Mechanism.CERTIFICATE]
    return found


@pytest.mark.parametrize("revoked", [False, True])
def test_a_door_as_the_row_says_passes(tmp_path: Path, authority: Certificate, revoked: bool) -> None:
    report = asked(AskingDoor(tmp_path, revoked, authority.chain), authority)
    failures = [check.name for check in report.checks if not check.passed]
    # The door can verify Kerberos, which this test has no realm for.
    assert (verdict(report), failures) == (Verdict.PASS, ["only listed mechanisms are shown"])
    names = {check.name for check in report.checks}
    assert {
        "no certificate is refused",
        "a certificate of somebody else is refused",
        "a certificate of a disabled account is refused",
        "a certificate of another authority is refused",
        "a certificate that has expired is refused",
        "localhost asks for no certificate",
        f"localhost is not served on a connection for {ASKING}",
    } <= names


def test_without_names_and_from_another_host_nothing_is_tried(tmp_path: Path, authority: Certificate) -> None:
    assert verdict(asked(AskingDoor(tmp_path), None)) is Verdict.NOT_DEPLOYED
    assert verdict(asked(AskingDoor(tmp_path), authority, "cas2")) is Verdict.ELSEWHERE


def test_a_door_that_does_not_know_the_owner_fails(tmp_path: Path, authority: Certificate) -> None:
    door = AskingDoor(tmp_path, probe_authority=authority.chain)
    door.owners = None
    report = asked(door, authority)
    assert verdict(report) is Verdict.FAIL and report.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("weak", "name"),
    [
        ("all validate", "a certificate of another authority is refused"),
        ("all validate", "a certificate that has expired is refused"),
        ("anybody", "a certificate of somebody else is refused"),
        ("open", "a certificate of a disabled account is refused"),
        ("one for all", f"localhost is not served on a connection for {ASKING}"),
    ],
)
def test_each_weakness_is_seen(
    tmp_path: Path, authority: Certificate, weak: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = AskingDoor(tmp_path, probe_authority=authority.chain)
    if weak == "all validate":
        monkeypatch.setattr("postern.net.mutual._as_validated", lambda *_: True)
        monkeypatch.setattr("postern.trust.certificates.client_certificates._why_not", lambda *_: "")
        monkeypatch.setattr(type(door.owners), "_is_for_probe", lambda *_: True)
        door = AskingDoor(tmp_path, probe_authority=authority.chain)
    elif weak == "anybody":
        probe = door.people.add(NAME, "secret")

        async def everybody(self: object, names: object) -> object:
            return probe

        monkeypatch.setattr(type(door.owners), "_probe", everybody)
    elif weak == "one for all":
        monkeypatch.setattr("postern.services.http.session.HttpSession._is_misdirected", lambda *_: False)
    report = asked(door, authority, is_open=weak == "open")
    assert name in [check.name for check in report.checks if not check.passed]
    assert report.verdict is Verdict.FAIL
