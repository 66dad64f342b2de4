"""Direct trust's probes have positive controls: our own doors pass, and each way of believing too much is noticed by its check.

covers: direct_trust_checks, stranger
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from postern.model.directory import TrustedCertificate
from postern.model.organization import AcceptedDomain, Organization, Role, Server
from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.verify.report import RowReport, Verdict
from postern.verify.runner import dial
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject
from tests.certificates import make
from tests.services.perimeter import Perimeter
from tests.services.smtp.test_send import ROWS, run
from tests.verify.weak_server import Weakness, weak_server

pytestmark = pytest.mark.slow

HUB = Server("hub1", "hub1.example.test", frozenset({Role.HUB}), ("127.0.0.1",), "Headquarters")
EDGE = Server("edge1", "edge1.example.test", frozenset({Role.EDGE}), ("127.0.0.1",))
NOBODY = Credentials("", "")


def _subject(at: Perimeter, row: str) -> Subject:
    inward = row == "edge-to-hub"
    port = at.hub_port if inward else at.edge_port
    return Subject(
        organization=Organization("x", (AcceptedDomain("example.test"),), (HUB, EDGE), offset=port - 25),
        here=EDGE if inward else HUB,
        rows=ROWS,
        authority=Path("/nonexistent"),
        probe=Credentials("alice@example.test", ""),
        machine=NOBODY,
        service=NOBODY,
        enabled=frozenset(),
        sockets=Path("/nonexistent"),
        certificate=at.files(at.edge if inward else at.hub),
        trusted=tuple((at.of_hubs if inward else at.of_edges).entries),
        subscribed={"edge1": "Headquarters"},
    )


def _verify(
    row: str,
    weaken: Callable[[Perimeter], None] = lambda at: None,
    change: Callable[[Subject], Subject] = lambda subject: subject,
) -> RowReport:
    report = RowReport(ROWS[row])

    async def body() -> None:
        at = Perimeter()
        try:
            await at.start()
            weaken(at)
            subject = change(_subject(at, row))
            await asyncio.to_thread(dial, ROWS[row], subject, report)
        finally:
            await at.close()

    run(body)
    return report


def _failed(report: RowReport) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


@pytest.mark.parametrize("row", ("hub-to-edge", "edge-to-hub"))
def test_our_own_doors_pass(row: str) -> None:
    report = _verify(row)
    assert report.verdict is Verdict.PASS, report.detail
    (found,) = report.mechanisms
    assert found.mechanism is Mechanism.DIRECT_TRUST and found.seal is not None and found.seal.protocol == "TLSv1.3"
    assert len(report.checks) == 6 and report.ports == ["25/TCP (TLS)"]


@pytest.mark.parametrize("row", ("hub-to-edge", "edge-to-hub"))
def test_a_door_that_believes_any_certificate_is_noticed(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def weaken(at: Perimeter) -> None:
        for certificates, name in ((at.by_edge, "hub1"), (at.by_hub, "edge1")):
            known = Identity(PrincipalKind.SERVER, name, Mechanism.DIRECT_TRUST)
            monkeypatch.setattr(certificates, "identify", lambda chain, known=known: known)

    here = "edge1" if row == "edge-to-hub" else "hub1"
    assert _failed(_verify(row, weaken)) == {f"another certificate for {here}.example.test is refused"}


@pytest.mark.parametrize(
    ("weaknesses", "noticed"),
    [
        ([Weakness.OPEN_RELAY], {"direct trust in clear text is refused", "no certificate is refused"}),
        ([Weakness.OPEN_RELAY, Weakness.OLD_TLS], {"TLS 1.1 is refused"}),
        ([Weakness.NO_UPGRADE], {"TLS is offered"}),
    ],
)
def test_a_door_that_takes_what_strangers_bring_is_noticed(
    weaknesses: list[Weakness], noticed: set[str], tmp_path: Path
) -> None:
    report = RowReport(ROWS["hub-to-edge"])
    with weak_server("smtp", tmp_path, False, *weaknesses) as server:
        organization = Organization("x", (AcceptedDomain("example.test"),), (HUB, EDGE), offset=server.port - 25)
        certificate = make("hub1.example.test").write(tmp_path)
        subject = Subject(
            organization, HUB, ROWS, tmp_path, NOBODY, NOBODY, NOBODY, frozenset(), tmp_path,
            certificate=certificate, subscribed={"edge1": "Headquarters"},
        )  # fmt: skip
        dial(report.row, subject, report)
    assert noticed <= _failed(report)


def test_a_certificate_that_the_directory_does_not_have_is_noticed() -> None:
    other = TrustedCertificate("edge1", EDGE.fqdn, Role.EDGE, make("edge1.example.test").der)
    report = _verify("hub-to-edge", change=lambda subject: dataclasses.replace(subject, trusted=(other,)))
    assert _failed(report) == {"edge1.example.test shows the certificate that the directory has for it"}


def test_an_edge_that_does_not_know_this_hub_fails_the_mechanism() -> None:
    stranger = make("hub1.example.test").write()
    report = _verify("hub-to-edge", change=lambda subject: dataclasses.replace(subject, certificate=stranger))
    assert report.verdict is Verdict.FAIL and report.detail.startswith("Direct trust: 550")


@pytest.mark.parametrize(("sites", "words"), [({}, "not subscribed"), ({"edge1": "Branch"}, "the site Branch")])
def test_an_edge_of_others_is_none_of_this_hubs_business(sites: dict[str, str], words: str) -> None:
    report = _verify("hub-to-edge", change=lambda subject: dataclasses.replace(subject, subscribed=sites))
    assert report.verdict is Verdict.NOT_DEPLOYED and words in report.detail and not report.checks


def test_an_edge_without_a_subscription_waits() -> None:
    report = _verify("edge-to-hub", change=lambda subject: dataclasses.replace(subject, trusted=()))
    assert report.verdict is Verdict.NOT_DEPLOYED and "nothing of hub1 was replicated" in report.detail


def test_a_server_that_does_not_answer_fails() -> None:
    gone = dataclasses.replace(EDGE, addresses=("127.0.0.99",))

    def change(subject: Subject) -> Subject:
        return dataclasses.replace(subject, organization=dataclasses.replace(subject.organization, servers=(HUB, gone)))

    report = _verify("hub-to-edge", change=change)
    assert report.verdict is Verdict.FAIL and "edge1.example.test answers" in report.detail
