"""The probe of the web's rows passes a door that does what its row says, and sees what is wrong with others.

covers: web_probe
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trustme

from postern.model.organization import ActiveDirectory, Profile
from postern.model.security import Encryption, Mechanism
from postern.paths import row as rows
from postern.paths.table import settle
from postern.services.http.site import Receive, Route, Scope, Send
from postern.trust.framing.digest import DigestKeeping, Nonces
from postern.trust.host import HostCredentials
from postern.trust.passwords.realm_hash import ALGORITHMS
from postern.verify.report import RowReport, Verdict
from postern.verify.sasl_client import Credentials
from postern.verify.web_checks import WebRow
from tests.services.http.doors import WebDoor, answer
from tests.support.ports import free_port
from tests.transport.world import organization
from tests.trust import kdc
from tests.trust.kept import Kept

ROW = settle(Profile.PRACTICAL)["autodiscover"]
OPEN = settle(Profile.PRACTICAL)["client-configuration"]
READS = frozenset({"GET", "HEAD", "POST"})


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"here")


def report_of(
    door: WebDoor,
    row: rows.Path,
    folder: Path,
    enabled: frozenset[Mechanism] = frozenset(),
    realm: str = "",
    domain: ActiveDirectory | None = None,
) -> RowReport:
    known = replace(organization(offset=door.port - 443), realm=realm, active_directory=domain)
    server = SimpleNamespace(addresses=("127.0.0.1",), fqdn="localhost", name="here")
    authority = folder / "ca.pem"
    door.authority.cert_pem.write_to_path(str(authority))
    probe = Credentials("alice@example.test", "wonderland", f"alice@{realm}" if realm else "")
    subject = SimpleNamespace(organization=known, here=server, authority=authority, probe=probe, enabled=enabled)
    report = RowReport(row)
    WebRow("/page?{domain}")(row, cast(Any, [server]), cast(Any, subject), report)
    return report


def probed(
    folder: Path,
    row: rows.Path,
    served: Callable[[WebDoor], Route],
    enabled: frozenset[Mechanism] = frozenset(),
    host: HostCredentials | None = None,
    digest: DigestKeeping | None = None,
) -> RowReport:
    """The report about a door that is said to be of `row` and has the route `served`."""

    async def run() -> RowReport:
        door = WebDoor(host=host)
        door.people.enabled = {"nt"} if Mechanism.NTLM in enabled else set()
        if digest is not None:
            door.people.enabled.add("digest")
        door.clear = door.port - 443 + 80
        async with door.opened(served(door)):
            door.access = replace(door.access, digest=digest)
            return await asyncio.to_thread(report_of, door, row, folder, enabled, host.realm if host else "")

    return asyncio.run(run())


@pytest.mark.parametrize("has_ntlm", [False, True])
def test_a_door_as_it_should_be(tmp_path: Path, has_ntlm: bool) -> None:
    enabled = frozenset({Mechanism.NTLM} if has_ntlm else set())
    report = probed(tmp_path, ROW, lambda door: door.route("/", page, methods=READS), enabled)
    assert report.verdict is Verdict.PASS, report.detail
    passed = {entry.mechanism for entry in report.mechanisms if entry.verdict is Verdict.PASS}
    assert passed == ({Mechanism.BASIC, Mechanism.NTLM, Mechanism.NEGOTIATE} if has_ntlm else {Mechanism.BASIC})
    assert [entry.mechanism for entry in report.mechanisms] == list(ROW.supported_auth)
    assert sorted(report.ports) == ["443/TCP (SSL)", "80/TCP"] and len(report.checks) == 18


def test_a_redirect_to_a_name_that_the_certificate_lacks_is_seen(tmp_path: Path) -> None:
    async def run() -> RowReport:
        door = WebDoor()
        door.people.enabled = set()
        door.clear = door.port - 443 + 80
        async with door.opened(door.route("/", page, methods=READS)):
            door.access = replace(door.access, is_ours=lambda host: True)
            return await asyncio.to_thread(report_of, door, ROW, tmp_path)

    failed = [check.name for check in asyncio.run(run()).checks if not check.passed]
    assert failed and all(name.endswith("is sent to a name in the certificate") for name in failed), failed


@pytest.mark.parametrize("password", ["wonderland", "another"])
def test_digest_by_each_algorithm_where_it_is_enabled(tmp_path: Path, password: str) -> None:
    kept = Kept("example.test")
    kept.add("alice@example.test", "wonderland")
    for spoiled in () if password == "wonderland" else [ALGORITHMS[-1]]:
        kept.hashes["alice@example.test", "alice@example.test", spoiled] = "0" * 32
    report = probed(
        tmp_path,
        ROW,
        lambda door: door.route("/", page, methods=READS),
        frozenset({Mechanism.DIGEST}),
        digest=DigestKeeping(kept, Nonces()),
    )
    digest = next(entry for entry in report.mechanisms if entry.mechanism is Mechanism.DIGEST)
    assert digest.verdict is (Verdict.PASS if password == "wonderland" else Verdict.FAIL)
    assert "a wrong password by Digest is refused" in {check.name for check in report.checks if check.passed}


def test_in_active_directory_digest_is_not_deployed_and_says_why(tmp_path: Path) -> None:
    async def run() -> RowReport:
        door = WebDoor()
        door.people.enabled = set()
        door.clear = door.port - 443 + 80
        domain = ActiveDirectory("example.test", "EXAMPLE")
        async with door.opened(door.route("/", page, methods=READS)):
            return await asyncio.to_thread(report_of, door, ROW, tmp_path, domain=domain)

    report = asyncio.run(run())
    digest = next(entry for entry in report.mechanisms if entry.mechanism is Mechanism.DIGEST)
    assert digest.verdict is Verdict.NOT_DEPLOYED and "Active Directory keeps no hash" in digest.detail
    assert {check.name: check.passed for check in report.checks}["Digest is refused"]


def test_digest_is_refused_where_the_profile_drops_it(tmp_path: Path) -> None:
    strict = settle(Profile.HARDENED)["autodiscover"]
    kept = Kept("example.test")
    kept.add("alice@example.test", "wonderland")

    def report_about(served: rows.Path) -> RowReport:
        return probed(
            tmp_path,
            strict,
            lambda door: door.route("/", page, rows=[served], methods=READS),
            frozenset({Mechanism.DIGEST}),
            digest=DigestKeeping(kept, Nonces()),
        )

    passed = {check.name: check.passed for check in report_about(strict).checks}
    assert passed["Digest is refused"] and passed["only listed mechanisms are shown"]
    failed = {check.name: check.passed for check in report_about(ROW).checks}
    assert not failed["Digest is refused"] and not failed["only listed mechanisms are shown"]


def test_an_open_door_as_it_should_be(tmp_path: Path) -> None:
    report = probed(tmp_path, OPEN, lambda door: door.route("/", page, rows=[OPEN], methods=READS))
    assert (report.verdict, report.detail) == (Verdict.PASS, "") and len(report.checks) == 5


def _failures(folder: Path, row: rows.Path, served: Callable[[WebDoor], Route]) -> set[str]:
    report = probed(folder, row, served, frozenset({Mechanism.NTLM}))
    assert report.verdict is Verdict.FAIL
    return {check.name for check in report.checks if not check.passed}


def test_a_door_that_asks_in_clear_text(tmp_path: Path) -> None:
    weak = replace(ROW, encryption=Encryption.OFFERED)
    failures = _failures(tmp_path, ROW, lambda door: door.route("/", page, rows=[weak], methods=READS))
    assert {"a request in clear text is sent to TLS", "a request in clear text is not asked who it is"} <= failures


def test_a_door_that_asks_nobody(tmp_path: Path) -> None:
    failures = _failures(tmp_path, ROW, lambda door: door.route("/", page, rows=[OPEN], methods=READS))
    assert {
        "a caller without credentials is asked",
        "a wrong password by Basic is refused",
        "Bearer is refused",
    } <= failures
    assert "a POST in clear text is refused" in failures


def test_a_door_that_knows_more_than_its_row_lists(tmp_path: Path) -> None:
    less = replace(ROW, supported_auth=(Mechanism.BASIC,))
    failures = _failures(tmp_path, less, lambda door: door.route("/", page, methods=READS))
    assert {"only listed mechanisms are shown", "NTLM is refused", "Negotiate is refused"} <= failures


def test_a_door_that_knows_less(tmp_path: Path) -> None:
    less = replace(ROW, supported_auth=(Mechanism.BASIC,))
    report = probed(
        tmp_path, ROW, lambda door: door.route("/", page, rows=[less], methods=READS), frozenset({Mechanism.NTLM})
    )
    assert {entry.mechanism for entry in report.mechanisms if entry.verdict is Verdict.FAIL} == {
        Mechanism.NTLM,
        Mechanism.NEGOTIATE,
    }


def test_an_open_door_that_is_closed(tmp_path: Path) -> None:
    failures = _failures(tmp_path, OPEN, lambda door: door.route("/", page, methods=READS | {"DELETE"}))
    assert failures >= {"anybody is answered in TLS", "anybody is answered in clear text", "DELETE is refused"}


def test_nobody_there(tmp_path: Path) -> None:
    door = SimpleNamespace(port=free_port(), authority=trustme.CA())
    report = report_of(cast(Any, door), ROW, tmp_path)
    assert report.verdict is Verdict.FAIL and "ConnectionRefusedError" in report.detail


@pytest.mark.slow
@pytest.mark.skipif(not kdc.installed(), reason="no MIT KDC (package krb5-kdc)")
def test_negotiate_by_a_ticket(tmp_path: Path) -> None:
    pytest.importorskip("gssapi")
    with kdc.running_kdc() as realm, pytest.MonkeyPatch.context() as patch:
        realm.add_user("alice", "wonderland")
        realm.join(patch)
        keytab = realm.add_service("HTTP/localhost")
        host = HostCredentials("mail", "example.test", "", realm.realm, str(keytab))
        strict = settle(Profile.HARDENED)["autodiscover"]
        report = probed(tmp_path, strict, lambda door: door.route("/", page, rows=[strict], methods=READS), host=host)
    assert report.verdict is Verdict.PASS, report.detail
    assert [entry.mechanism for entry in report.mechanisms] == [Mechanism.NEGOTIATE]
    assert "a spoiled ticket by Negotiate is refused" in {check.name for check in report.checks}
