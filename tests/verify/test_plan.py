"""Every row of the table has a verdict or a probe, whatever the organization is like.

covers: plan, report, runner, subject
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from postern.model.organization import AcceptedDomain, Organization, Profile, Role, Server
from postern.model.security import Mechanism, Seal
from postern.paths.deployment import NOT_BUILT
from postern.paths.table import TABLE, settle
from postern.verify import runner
from postern.verify.engine_checks import ENGINE_ROWS
from postern.verify.plan import ROLES, verdict_without_probe, waiting_mechanisms
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.rpc_checks import RPC_ROWS
from postern.verify.runner import failed, verify
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject

ALL = Server("one", "one.example.test", frozenset({Role.HUB, Role.MAILBOX, Role.CLIENT_ACCESS}), ("127.0.0.1",))
PLAIN = Organization("Example", (AcceptedDomain("example.test"),), (ALL,), postgres="unix", directory="ldapi://x")
EDGE = replace(ALL, name="edge", roles=frozenset({Role.EDGE}))
ORGANIZATIONS = (
    PLAIN,
    replace(PLAIN, realm="EXAMPLE.TEST", keytab="/k"),
    replace(PLAIN, servers=(ALL, EDGE)),
    replace(PLAIN, servers=(replace(ALL, roles=frozenset({Role.HUB})),)),
    replace(PLAIN, servers=(replace(ALL, roles=frozenset({Role.MAILBOX})),)),
)


@pytest.mark.parametrize("organization", ORGANIZATIONS)
def test_every_row_has_a_verdict_or_a_probe(organization: Organization) -> None:
    probed = set(RPC_ROWS) | set(ENGINE_ROWS) | set(runner._CLIENTS)
    assert probed == set(ROLES)
    for row in TABLE.values():
        waiting = verdict_without_probe(row, organization)
        if waiting is None:
            assert row.id in probed
            continue
        verdict, reason = waiting
        assert reason and verdict is (Verdict.NOT_BUILT if row.id in NOT_BUILT else Verdict.NOT_DEPLOYED)


def test_roles_that_are_missing_deploy_nothing() -> None:
    hub_alone = ORGANIZATIONS[3]
    assert verdict_without_probe(TABLE["imap4"], hub_alone) == (
        Verdict.NOT_DEPLOYED,
        "no server has the role client-access",
    )
    assert verdict_without_probe(TABLE["internet-to-hub"], hub_alone) is None
    verdict, reason = verdict_without_probe(TABLE["internet-to-hub"], ORGANIZATIONS[2]) or (None, "")
    assert verdict is Verdict.NOT_DEPLOYED and "edge" in reason


def test_mechanisms_wait_for_a_realm_or_an_administrator() -> None:
    waiting = waiting_mechanisms(PLAIN, frozenset({Mechanism.NTLM}))
    assert waiting[Mechanism.KERBEROS] == "no realm"
    assert "postern domain auth enable scram" in waiting[Mechanism.SCRAM]
    assert Mechanism.NTLM not in waiting and Mechanism.BASIC not in waiting


def test_one_failure_fails_the_row_and_nothing_else_does() -> None:
    report = RowReport(TABLE["imap4"])
    report.mechanism(MechanismReport(Mechanism.BASIC, Verdict.PASS, "", Seal("TLSv1.3", "X")))
    report.mechanism(MechanismReport(Mechanism.KERBEROS, Verdict.NOT_DEPLOYED, "no realm"))
    report.check("something holds", True, "never said")
    report.settle()
    assert report.verdict is Verdict.PASS and not failed([report]) and report.checks[0].detail == ""
    report.mechanism(MechanismReport(Mechanism.BASIC, Verdict.FAIL, "another server refused"))
    report.mechanism(MechanismReport(Mechanism.BASIC, Verdict.PASS))
    report.settle()
    assert report.verdict is Verdict.FAIL and report.detail == "Basic: another server refused" and failed([report])
    assert len(report.mechanisms) == 2


def test_what_only_waits_never_passes() -> None:
    report = RowReport(TABLE["imap4"])
    report.mechanism(MechanismReport(Mechanism.KERBEROS, Verdict.NOT_DEPLOYED, "no realm"))
    report.settle()
    assert (report.verdict, report.detail) == (Verdict.NOT_DEPLOYED, "no realm")


def test_a_probe_that_breaks_fails_its_row_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setitem(runner.ENGINE_ROWS, "postgresql", broken)
    nobody = Credentials("", "")
    subject = Subject(
        PLAIN, ALL, settle(Profile.PRACTICAL), Path("/x"), nobody, nobody, nobody, frozenset(), Path("/x"), None
    )
    steps: list[tuple[str, int, int]] = []
    reports = verify(subject, ("postgresql", "ssh"), lambda *step: steps.append(step))
    assert [report.verdict for report in reports] == [Verdict.FAIL, Verdict.NOT_DEPLOYED]
    assert "ZeroDivisionError" in reports[0].detail
    assert steps == [("postgresql", 0, 2), ("ssh", 1, 2)]
    with pytest.raises(KeyError):
        verify(subject, ("no-such-row",))
