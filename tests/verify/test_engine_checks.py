"""The engines' refusals have positive controls too: a directory and a database that are laxer than ours must fail.

Ours pass in tests/cli/test_verify.py. covers: subject
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from postern.model.directory import DirectoryUnavailable
from postern.model.organization import AcceptedDomain, Database, Organization, Profile, Role, Server
from postern.paths.table import settle
from postern.verify import engine_checks
from postern.verify.report import RowReport, Verdict
from postern.verify.runner import dial
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject

ROWS = settle(Profile.PRACTICAL)
SERVICE = Credentials("cn=postern,dc=postern", "right")
HERE = Server("one", "one.example.test", frozenset({Role.MAILBOX}), ("127.0.0.1",))


@pytest.fixture
def subject() -> Iterator[Subject]:
    """With the sockets that the engines would have."""
    with tempfile.TemporaryDirectory(prefix="en-", dir="/tmp") as folder:
        ends = []
        for name in ("slapd/ldapi", "postgresql/.s.PGSQL.5432"):
            file = Path(folder, name)
            file.parent.mkdir(mode=0o700)
            ends.append(socket.socket(socket.AF_UNIX))
            ends[-1].bind(str(file))
        database = f"postgresql://postern@{folder.replace('/', '%2F')}%2Fpostgresql/postern"
        served = Database("one", "one", database)
        nobody = Credentials("", "")
        yield Subject(
            Organization(
                "x", (AcceptedDomain("example.test"),), (HERE,), directory="ldapi://x", written_databases=(served,)
            ),
            HERE,
            ROWS,
            Path("/x"),
            nobody,
            nobody,
            SERVICE,
            frozenset(),
            Path(folder),
            frozenset(),
        )
        for end in ends:
            end.close()


def _directory(subject: Subject, monkeypatch: pytest.MonkeyPatch, *admitted: tuple[str, bool]) -> RowReport:
    """`admitted`: names, each with whether any password does for it."""

    def answers(uri: str, name: str, password: str) -> None:
        lax = (name, True) in admitted or ((name, False) in admitted and not password)
        if not lax and (name, password) != (SERVICE.name, SERVICE.password):
            raise DirectoryUnavailable("INVALID_CREDENTIALS")

    monkeypatch.setattr(engine_checks, "answers", answers)
    report = RowReport(ROWS["private-directory"])
    engine_checks.check_directory_row(report.row, (), subject, report)
    return report


def test_a_strict_directory_passes(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    report = _directory(subject, monkeypatch)
    assert report.verdict is Verdict.PASS, report.detail
    assert len(report.checks) == 8


@pytest.mark.parametrize(
    ("name", "any_password", "noticed"),
    [
        ("", False, {"an anonymous caller is refused"}),
        (SERVICE.name, False, {"a name without password is refused"}),
        (SERVICE.name, True, {"a name without password is refused", "a wrong password is refused"}),
        ("cn=verify-nobody,dc=postern", True, {"an unknown account is refused"}),
    ],
)
def test_a_lax_directory_is_noticed(
    name: str, any_password: bool, noticed: set[str], subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = _directory(subject, monkeypatch, (name, any_password))
    assert {check.name for check in report.checks if not check.passed} == noticed
    assert report.verdict is Verdict.FAIL


def test_a_directory_without_its_service_account_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    report = _directory(replace(subject, service=Credentials("cn=x,dc=postern", "wrong")), monkeypatch)
    assert report.verdict is Verdict.FAIL and "Basic: INVALID_CREDENTIALS" in report.detail


class _Database:
    def __init__(self, addresses: str) -> None:
        self.addresses = addresses

    def __enter__(self) -> _Database:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: str) -> _Database:
        return self

    def fetchone(self) -> tuple[str]:
        return (self.addresses,)


def _database(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, addresses: str = "", any_name: bool = False, ours: bool = True
) -> RowReport:
    def connect(url: str, user: str = "", **_: Any) -> _Database:
        if not (any_name if user else ours):
            raise psycopg.OperationalError("Peer authentication failed")
        return _Database(addresses)

    monkeypatch.setattr(engine_checks.psycopg, "connect", connect)
    report = RowReport(ROWS["postgresql"])
    engine_checks.check_database_row(report.row, (), subject, report)
    return report


def test_a_strict_database_passes(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    report = _database(subject, monkeypatch)
    assert report.verdict is Verdict.PASS, report.detail
    assert len(report.checks) == 6


def test_a_lax_database_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "it listens on its unix socket only: and on *" in _database(subject, monkeypatch, addresses="*").detail
    assert "another user's name is refused" in _database(subject, monkeypatch, any_name=True).detail
    assert "Peer authentication failed" in _database(subject, monkeypatch, ours=False).detail


def test_sockets_that_others_reach_are_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    file = subject.sockets / "slapd" / "ldapi"
    reached = _directory(replace(subject, reached=frozenset({file})), monkeypatch)
    assert "another account cannot connect to ldapi" in reached.detail
    file.parent.chmod(0o711)
    assert "the folder of ldapi is closed to other accounts: its mode is 711" in _directory(subject, monkeypatch).detail
    file.unlink()
    assert "ldapi is there" in _directory(subject, monkeypatch).detail


def test_engines_of_others_are_not_ours_to_verify(subject: Subject) -> None:
    served = Database("one", "one", "postgresql://db1/postern")
    elsewhere = replace(subject.organization, written_databases=(served,), directory="ldaps://dc1.example.test")
    for row in ("private-directory", "postgresql"):
        report = RowReport(ROWS[row])
        dial(report.row, replace(subject, organization=elsewhere), report)
        assert report.verdict is Verdict.NOT_DEPLOYED and "not ours to verify" in report.detail
