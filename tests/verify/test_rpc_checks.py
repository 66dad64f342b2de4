"""Every refusal asked of RPC rows has a positive control: the strict server passes, and each weakness is noticed by its probe.

covers: rpc_checks, rpc_probe, unix_sockets
"""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from postern.model.organization import ActiveDirectory, Profile
from postern.model.security import Mechanism
from postern.paths.table import settle
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_DELIVERY
from postern.verify import rpc_checks, unix_sockets
from postern.verify.probes import PROBES
from postern.verify.report import RowReport, Verdict
from postern.verify.rpc_checks import RpcRow
from postern.verify.rpc_probe import Question
from postern.verify.runner import dial
from tests.services.rpc_parts import ROWS
from tests.verify.weak_rpc import BACKDOOR, HERE, RpcWeakness, weak_rpc

pytestmark = pytest.mark.slow

HARMLESS = {"folders", "notify", "controllers", "standing", "state", "when_busy"}
"""The operations that a probe may call: each asks, and changes nothing on the server."""

ROW = ROWS["hub-to-mailbox-mapi"]
HARDENED = settle(Profile.HARDENED)["hub-to-mailbox-mapi"]

NOTICED = {
    RpcWeakness.NO_PROOF: ["a call without authentication is refused"],
    RpcWeakness.LOWER_LEVELS: [f"NTLM at the level {level} is refused" for level in ("connect", "packet", "integrity")],
    RpcWeakness.USERS: ["a user's account by NTLM is refused"],
    RpcWeakness.ANY_NAME: ["an unknown account by NTLM is refused"],
    RpcWeakness.OTHER_PASSWORD: ["a wrong password by NTLM is refused"],
    RpcWeakness.FOREIGN_MECHANISM: [f"{name} is refused" for name in ("Schannel", "DPA", "Netlogon")],
    RpcWeakness.ANY_INTERFACE: ["an unknown interface is refused"],
    RpcWeakness.MAPPER_SERVES_ALL: ["the endpoint mapper's port serves the mapper alone"],
    RpcWeakness.PORT_OUTSIDE_THE_RANGE: ["the dynamic port is of the organization's range"],
    RpcWeakness.WRONG_MAP: ["the dynamic port is of the organization's range"],
    RpcWeakness.OPEN_SOCKET: ["mailbox.0 is closed to other accounts"],
    RpcWeakness.OPEN_FOLDER: ["the folder of mailbox.0 is closed to other accounts"],
    RpcWeakness.NO_SOCKET: [],
    RpcWeakness.REFUSES_EVERYBODY: [],
}


def _verify(row, *weaknesses: RpcWeakness) -> RowReport:
    report = RowReport(row)
    with weak_rpc(row, *weaknesses) as subject:
        dial(row, subject, report)
    return report


def test_a_strict_server_passes() -> None:
    report = _verify(ROW)
    assert report.verdict is Verdict.PASS, report.detail
    seen = {found.mechanism: found for found in report.mechanisms}
    assert str(seen[Mechanism.NTLM].seal) == "Seal(protocol='RPC privacy', cipher='NTLM RC4-128')"
    assert seen[Mechanism.PEER].verdict is Verdict.PASS
    assert (seen[Mechanism.KERBEROS].verdict, seen[Mechanism.KERBEROS].detail) == (Verdict.NOT_DEPLOYED, "no realm")
    assert {name for names in NOTICED.values() for name in names} <= {check.name for check in report.checks}


@pytest.mark.parametrize("weakness", RpcWeakness)
def test_each_weakness_is_noticed(weakness: RpcWeakness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_checks.secrets, "token_urlsafe", lambda size: BACKDOOR)
    report = _verify(ROW, weakness)
    assert report.verdict is Verdict.FAIL
    failed = {check.name for check in report.checks if not check.passed}
    assert set(NOTICED[weakness]) <= failed
    if not NOTICED[weakness]:
        assert any(found.verdict is Verdict.FAIL for found in report.mechanisms)


def test_ntlm_that_is_not_listed_is_noticed_bare_and_inside_spnego() -> None:
    """The server lives by practical, where NTLM is listed; the verifier by hardened, where it is not."""
    report = _verify(HARDENED)
    failed = {check.name for check in report.checks if not check.passed}
    assert failed == {"NTLM is refused", "NTLM inside SPNEGO is refused"}


def test_a_server_that_does_not_answer_fails() -> None:
    with weak_rpc(ROW) as subject:
        pass
    report = RowReport(ROW)
    dial(ROW, subject, report)
    assert report.verdict is Verdict.FAIL and "mbx1.example.test answers" in report.detail


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_what_another_account_can_reach(tmp_path: Path) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):  # one more where tests run in parallel
        folder.chmod(0o755)
    files = []
    ends = []
    for name, mode in (("closed", 0o700), ("open", 0o777)):
        folder = tmp_path / name
        folder.mkdir()
        end = socket.socket(socket.AF_UNIX)
        end.bind(str(folder / "s"))
        end.listen()
        ends.append(end)
        (folder / "s").chmod(0o777)
        folder.chmod(mode)
        files.append(folder / "s")
    try:
        assert unix_sockets.under(tmp_path) == sorted(files)
        assert unix_sockets.reachable(files) == {files[1]}
    finally:
        for end in ends:
            end.close()


@pytest.mark.parametrize("name", [name for name, probe in PROBES.items() if isinstance(probe.run, RpcRow)])
def test_every_rows_question_asks_and_changes_nothing(name: str) -> None:
    run = PROBES[name].run
    assert isinstance(run, RpcRow)
    with weak_rpc(ROW) as subject:
        question = run.question(subject)
    assert question.operation in HARMLESS
    interface = question.interface
    operation = interface.operations[interface.numbers[question.operation]]
    assert operation.request.decode(operation.request.encode(question.parameters)) is not None


def test_machine_accounts_of_a_domain_are_called_by_its_netbios_name() -> None:
    with weak_rpc(ROW) as subject:
        organization = replace(subject.organization, active_directory=ActiveDirectory("corp.test", "CORP"))
        probe = rpc_checks._Probe(
            ROW, HERE, Question(MAILBOX_DELIVERY, "folders", ()),
            replace(subject, organization=organization), RowReport(ROW),
        )  # fmt: skip
    assert probe.domain == "CORP"
