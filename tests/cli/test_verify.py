"""`postern verify` as a user meets it: what it prints, its JSON, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.paths.table import TABLE
from tests import organization as organizations
from tests.organization import Organization

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]

WAITING = {row.id for row in TABLE.values() if row.waits}
DEPLOYED = (
    "internet-to-hub", "client-to-hub-smtp", "imap4", "pop3", "mailbox-to-hub-submission", "hub-to-mailbox-mapi",
    "cas-to-mailbox", "availability-to-mailbox", "mailbox-assistants", "postgresql", "private-directory", "autodiscover",
    "availability", "client-configuration", "caldav", "carddav",
)  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Organization]:
    organization = organizations.start()
    try:
        yield organization
    finally:
        organizations.remove(organization)


def _verify(running: Organization, *arguments: str, columns: int = 200) -> subprocess.CompletedProcess[str]:
    wide = Organization(running.state, running.offset, running.process, running.log, {"COLUMNS": str(columns)})
    return wide.command("verify", *arguments, check=False)


def test_json(running: Organization) -> None:
    done = _verify(running, "--json")
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    reports = json.loads(done.stdout)
    assert [report["path"] for report in reports] == list(TABLE)
    by_verdict: dict[str, set[str]] = {}
    for report in reports:
        assert {"path", "declared", "observed", "verdict", "detail", "mechanisms"} <= report.keys()
        by_verdict.setdefault(report["verdict"], set()).add(report["path"])
        assert report["detail"] or report["verdict"] == "pass", f"{report['path']} says no reason"
        assert report["observed"]["auth"] or report["verdict"] != "pass"
    assert by_verdict["pass"] == set(DEPLOYED)
    assert by_verdict["not built"] == WAITING
    assert by_verdict.keys() == {"pass", "not built", "not deployed"}


def test_what_waits_says_for_what(running: Organization) -> None:
    (report,) = running.verify("--path", "imap4").values()
    waiting = {found["mechanism"]: (found["verdict"], found["detail"]) for found in report["mechanisms"]}
    assert waiting["Kerberos"] == ("not deployed", "no realm")
    assert waiting["NTLM"] == ("not deployed", "not enabled (postern domain auth enable ntlm)")
    assert report["declared"]["supported_auth"] == "Basic, NTLM, Kerberos, SCRAM-SHA-256"
    assert report["observed"]["ports"] == ["143/TCP (TLS)", "993/TCP (SSL)"]
    assert report["observed"]["auth"] == ["Basic"]
    assert all(seal.startswith("TLSv1.") for seal in report["observed"]["encryption"])


@pytest.mark.parametrize(("columns", "words"), [(80, ()), (140, ("--all",))])
def test_the_table_fits(columns: int, words: tuple[str, ...], running: Organization) -> None:
    done = _verify(running, *words, columns=columns)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and max(map(len, lines)) <= columns
    for name in DEPLOYED:
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert line.rstrip().endswith("pass")
    assert any("Kerberos" in line and "no realm" in line and line.rstrip().endswith("not deployed") for line in lines)
    assert any("hub-to-hub" in line and line.rstrip().endswith("not deployed") for line in lines)
    assert any(line.startswith(" owa") for line in lines) == bool(words), (
        "what is not built is listed where it is asked for"
    )
    assert f"{len(DEPLOYED)} pass, {len(WAITING)} not built" in done.stdout


def test_what_is_enabled_is_verified(running: Organization) -> None:
    for mechanism in ("digest", "ntlm", "scram"):
        running.command("domain", "auth", "enable", mechanism)
    running.stop()
    restarted = organizations.start(running.state, running.offset)
    running.process = restarted.process
    for report in running.verify("--path", "imap4", "--path", "pop3", "--path", "client-to-hub-smtp").values():
        assert report["verdict"] == "pass", report["detail"]
        assert {"Basic", "NTLM", "SCRAM-SHA-256"} == set(report["observed"]["auth"])
    (report,) = running.verify("--path", "autodiscover").values()
    assert report["verdict"] == "pass", report["detail"]
    assert {"Basic", "Digest", "NTLM", "Negotiate"} == set(report["observed"]["auth"])


def test_a_failure_is_told_and_is_the_exit_status(running: Organization) -> None:
    folder = running.state / "sockets" / "slapd"
    folder.chmod(0o755)
    try:
        done = _verify(running, "--path", "private-directory", "--path", "imap4")
    finally:
        folder.chmod(0o700)
    assert done.returncode == 1
    assert "private-directory failed:" in done.stdout and "its mode is 755" in done.stdout
    assert "1 pass, 1 fail" in done.stdout


def test_a_row_that_nobody_has(running: Organization) -> None:
    done = _verify(running, "--path", "imap5")
    assert done.returncode == os.EX_USAGE and done.stderr.splitlines() == [
        'postern: no row is called imap5; did you mean "imap4"?'
    ]


def test_where_nothing_is_it_says_so(tmp_path: Path) -> None:
    nothing = Organization(tmp_path / "nothing", 0, subprocess.Popen(["true"]), tmp_path / "log")
    nothing.process.wait()
    done = nothing.command("verify", check=False)
    assert done.returncode == os.EX_CONFIG and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "no organization at" in line


def test_where_nothing_runs_it_says_so(running: Organization) -> None:
    running.stop()
    done = _verify(running, "--json")
    assert done.returncode == os.EX_UNAVAILABLE and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "does not run" in line
