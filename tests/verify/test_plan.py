"""Every row of the table has a verdict or a probe, whatever the organization is like.

covers: plan, probes, report, runner, subject, waiting
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from postern.model.organization import AcceptedDomain, ActiveDirectory, Organization, Profile, Role, Server
from postern.model.security import Mechanism, Seal
from postern.paths.table import TABLE, settle
from postern.verify import plan, runner
from postern.verify.plan import has_probe, is_dialled_at_home, targets, verdict_without_probe
from postern.verify.probes import PROBES, From, Probe
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.runner import failed, verify
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject
from postern.verify.waiting import waiting_mechanisms

ALL = Server("one", "one.example.test", frozenset({Role.HUB, Role.MAILBOX, Role.CLIENT_ACCESS}), ("127.0.0.1",))
PLAIN = Organization("Example", (AcceptedDomain("example.test"),), (ALL,), directory="ldapi://x")
EDGE = replace(ALL, name="edge", roles=frozenset({Role.EDGE}), addresses=("127.0.0.2",))
CORP = ActiveDirectory("corp.test", "CORP")
HUBS = tuple(replace(ALL, name=name, roles=frozenset({Role.HUB})) for name in ("hub1", "hub2"))
MBX = replace(ALL, name="mbx1", roles=frozenset({Role.MAILBOX}))
CAS = replace(ALL, name="cas1", roles=frozenset({Role.CLIENT_ACCESS}))
LARGE = replace(
    PLAIN, servers=(*HUBS, MBX, CAS, EDGE), active_directory=CORP, realm="CORP.TEST", keytab="/k", directory=""
)
ORGANIZATIONS = (
    PLAIN,
    replace(PLAIN, realm="EXAMPLE.TEST", keytab="/k"),
    replace(PLAIN, servers=(ALL, EDGE)),
    replace(PLAIN, servers=(replace(ALL, roles=frozenset({Role.HUB})),)),
    replace(PLAIN, servers=(replace(ALL, roles=frozenset({Role.MAILBOX})),)),
    replace(PLAIN, active_directory=CORP, realm="CORP.TEST", keytab="/k", directory=""),
    LARGE,
)


def test_every_row_that_is_built_has_a_line() -> None:
    assert set(PROBES) == {row.id for row in TABLE.values() if not row.waits}
    for probe in PROBES.values():
        assert (probe.run is None) == (probe.where is From.NOWHERE) == bool(probe.because)
    assert has_probe("imap4") and is_dialled_at_home("imap4")
    assert has_probe("hub-to-hub") and not is_dialled_at_home("hub-to-hub")
    assert not any(has_probe(name) or is_dialled_at_home(name) for name in ("dnsbl", "acme", "no-such-row"))


@pytest.mark.parametrize("organization", ORGANIZATIONS)
def test_every_row_has_a_verdict_or_a_probe_on_every_host(organization: Organization) -> None:
    for here in organization.servers:
        for row in TABLE.values():
            waiting = verdict_without_probe(row, organization, here)
            if waiting is None:
                assert has_probe(row.id) and targets(row, organization, here)
                continue
            verdict, reason = waiting
            assert reason and (verdict is Verdict.NOT_BUILT) == bool(row.waits)
            assert verdict in (Verdict.NOT_BUILT, Verdict.NOT_DEPLOYED, Verdict.ELSEWHERE)


@pytest.mark.parametrize("organization", ORGANIZATIONS)
def test_what_is_said_to_be_elsewhere_is_dialled_there(organization: Organization) -> None:
    for here in organization.servers:
        for row in TABLE.values():
            verdict, reason = verdict_without_probe(row, organization, here) or (None, "")
            if verdict is Verdict.ELSEWHERE:
                names = reason.removeprefix("verify it on ").split(", ")
                assert here.name not in names
                for name in names:
                    assert verdict_without_probe(row, organization, organization.server(name)) is None


def _dialled(name: str, row: str) -> list[str]:
    return [server.name for server in targets(TABLE[row], LARGE, LARGE.server(name))]


def test_only_the_caller_dials_what_only_it_may() -> None:
    assert _dialled("hub1", "hub-to-hub") == ["hub2"] and _dialled("mbx1", "hub-to-hub") == []
    assert _dialled("hub1", "hub-to-edge") == ["edge"] and _dialled("edge", "edge-to-hub") == ["hub1", "hub2"]
    assert _dialled("hub2", "edgesync") == ["edge"] and _dialled("edge", "edge-adam") == ["edge"]
    assert _dialled("cas1", "cas-to-mailbox") == ["mbx1"] and _dialled("cas1", "imap4") == ["cas1"]
    assert _dialled("mbx1", "rus-rpc") == ["mbx1"] and _dialled("hub1", "rus-rpc") == []
    assert _dialled("hub1", "hub-to-ad") == ["hub1"] and _dialled("hub1", "mailbox-to-ad") == []
    assert all(_dialled(name, "ad-topology") == [name] for name in ("hub1", "mbx1", "cas1"))
    assert _dialled("edge", "ad-topology") == []
    assert verdict_without_probe(TABLE["cas-to-mailbox"], LARGE, LARGE.server("edge")) == (
        Verdict.ELSEWHERE,
        "verify it on cas1",
    )


def test_roles_that_are_missing_deploy_nothing() -> None:
    hub_alone = ORGANIZATIONS[3]
    (hub,) = hub_alone.servers
    assert verdict_without_probe(TABLE["imap4"], hub_alone, hub) == (
        Verdict.NOT_DEPLOYED,
        "no server has the role client-access",
    )
    assert verdict_without_probe(TABLE["hub-to-hub"], hub_alone, hub) == (
        Verdict.NOT_DEPLOYED,
        "waits for a second hub",
    )
    assert verdict_without_probe(TABLE["internet-to-hub"], hub_alone, hub) is None
    verdict, reason = verdict_without_probe(TABLE["internet-to-hub"], ORGANIZATIONS[2], ALL) or (None, "")
    assert verdict is Verdict.NOT_DEPLOYED and "edge" in reason


def test_mechanisms_wait_for_a_realm_or_an_administrator() -> None:
    waiting = waiting_mechanisms(PLAIN, frozenset({Mechanism.NTLM}))
    assert waiting[Mechanism.KERBEROS] == "no realm"
    assert "postern domain auth enable scram" in waiting[Mechanism.SCRAM]
    assert Mechanism.NTLM not in waiting and Mechanism.BASIC not in waiting


def test_in_active_directory_there_is_ntlm_and_no_scram() -> None:
    waiting = waiting_mechanisms(LARGE, frozenset())
    assert "Active Directory" in waiting[Mechanism.SCRAM] and Mechanism.NTLM not in waiting


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

    probes = {**PROBES, "postgresql": Probe(From.HOME, broken)}
    monkeypatch.setattr(runner, "PROBES", probes)
    monkeypatch.setattr(plan, "PROBES", probes)
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
