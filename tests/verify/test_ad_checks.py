"""A domain controller as Samba makes it passes; one that asks for no seal, and one that answers anybody, are noticed.

covers: ad_checks, ldap_tools
"""

from __future__ import annotations

import dataclasses
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postern.model.directory import DomainController
from postern.model.organization import AcceptedDomain, ActiveDirectory, Organization, Profile, Role, Server
from postern.model.security import Mechanism
from postern.paths.table import settle
from postern.verify import ad_checks, ldap_tools
from postern.verify.report import RowReport, Verdict
from postern.verify.runner import dial
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject
from tests.directory.samba import Controller, Domain, missing

ROWS = settle(Profile.PRACTICAL)
HERE = Server("verify1", "verify1.corp.test", frozenset({Role.HUB, Role.MAILBOX}), ("127.0.0.1",))
NOBODY = Credentials("", "")


def _subject(controller: DomainController, keytab: str = "") -> Subject:
    domain = ActiveDirectory("corp.test", "CORP")
    return Subject(
        Organization("x", (AcceptedDomain("corp.test"),), (HERE,), active_directory=domain, realm="CORP.TEST"),
        HERE, ROWS, Path("/x"), NOBODY, Credentials("VERIFY1$", "", "VERIFY1$@CORP.TEST", keytab), NOBODY,
        frozenset(), Path("/x"), controllers=(controller,),
    )  # fmt: skip


def _verify(subject: Subject, row: str = "hub-to-ad") -> RowReport:
    report = RowReport(ROWS[row])
    dial(report.row, subject, report)
    return report


def _failed(report: RowReport) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


def _ask_within(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """The tools run where the controller's name is known."""
    run, controller = ldap_tools.subprocess.run, domain.controllers["dc1"]

    def within(command: list[str], **options: Any) -> Any:
        return run(["ip", "netns", "exec", controller.namespace, *command], **options)

    monkeypatch.setattr(ldap_tools.subprocess, "run", within)
    keytab = domain.computer("verify1")
    for name, value in domain.environment().items():
        monkeypatch.setenv(name, value)
    return _subject(domain.controller(), str(keytab))


@pytest.mark.slow
@pytest.mark.root
def test_samba_as_it_is_passes(samba_domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = _ask_within(samba_domain, monkeypatch)
    for row in ("hub-to-ad", "recipient-update-to-ad"):
        report = _verify(subject, row)
        assert report.verdict is Verdict.PASS, report.detail
        (found,) = report.mechanisms
        assert (
            found.mechanism is Mechanism.KERBEROS and str(found.seal) == "Seal(protocol='Kerberos', cipher='SSF 256')"
        )
        assert {"389/TCP (LDAP)", "3268/TCP (LDAP)", "135/TCP (RPC)"} < set(report.ports) and len(report.checks) == 8


@pytest.mark.slow
@pytest.mark.root
def test_a_server_without_keys_fails(samba_domain: Domain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    subject = _ask_within(samba_domain, monkeypatch)
    machine = dataclasses.replace(subject.machine, keytab=str(tmp_path / "none"))
    report = _verify(dataclasses.replace(subject, machine=machine))
    assert report.verdict is Verdict.FAIL and report.detail.startswith("Kerberos: dc1.corp.test:389: ")


class _Unsealed(Domain):
    """Its controllers take passwords in clear text and talk without a seal, as old ones do."""

    def _provision(self, controller: Controller, *argv: str) -> None:
        super()._provision(controller, *argv)
        file = controller.folder / "etc" / "smb.conf"
        file.write_text(file.read_text().replace("[global]", "[global]\n\tldap server require strong auth = no", 1))


@pytest.fixture
def unsealed() -> Iterator[Domain]:
    if lacking := missing():
        pytest.skip(lacking)
    domain = _Unsealed()
    try:
        domain.start()
        yield domain
    finally:
        domain.stop()


@pytest.mark.samba
@pytest.mark.slow
@pytest.mark.root
def test_a_controller_that_asks_for_no_seal_is_noticed(unsealed: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    report = _verify(_ask_within(unsealed, monkeypatch))
    assert _failed(report) == {
        f"{what} on dc1.corp.test:{number}"
        for what in ("a password in clear text is refused", "Kerberos without a seal is refused")
        for number in (389, 3268)
    }


class _Anybody(socketserver.BaseRequestHandler):
    """LDAP for nobody in particular: every bind succeeds, every search finds one entry (RFC 4511)."""

    def handle(self) -> None:
        while request := self.request.recv(4096):
            at = 2 + (request[1] & 0x7F if request[1] > 0x7F else 0)
            identifier, operation = request[at : at + 3], request[at + 3]
            if operation == 0x60:
                self._say(identifier, bytes.fromhex("61070a010004000400"))
            elif operation == 0x63:
                self._say(identifier, bytes.fromhex("640a0406434e3d616e793000"))
                self._say(identifier, bytes.fromhex("65070a010004000400"))
            else:
                return

    def _say(self, identifier: bytes, operation: bytes) -> None:
        body = identifier + operation
        self.request.sendall(bytes([0x30, len(body)]) + body)


def test_a_controller_that_answers_anybody_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Anybody) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(ad_checks, "_LDAP", server.server_address[1])
        monkeypatch.setattr(ad_checks, "_MAPPER", 1)
        report = _verify(_subject(DomainController("localhost", "127.0.0.1", "Site", True, False)))
        server.shutdown()
    where = f"on localhost:{server.server_address[1]}"
    assert _failed(report) >= {
        f"a password in clear text is refused {where}",
        f"an anonymous search is refused {where}",
        "localhost names netlogon's port",
    }


def test_no_controller_is_a_failure() -> None:
    down = DomainController("dc9.corp.test", "127.0.0.1", "Site", True, False, up=False)
    report = _verify(_subject(down))
    assert report.verdict is Verdict.FAIL and _failed(report) == {"a domain controller is up"}
