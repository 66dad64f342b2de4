"""Checks of the engines that roles rest on: the private directory and the private database answer our own account on a unix
socket, and nobody else anywhere.

An engine that the configuration names by a URL is not ours to verify.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from pathlib import Path as FilePath

import psycopg

from postern.directory.ldap.client import answers
from postern.model.directory import DirectoryUnavailable
from postern.model.organization import Server
from postern.model.security import Mechanism, Seal
from postern.paths.row import Path
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.subject import Subject
from postern.verify.unix_sockets import check_socket

_LOCAL = Seal("local", "unix")


def check_directory_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Checks that the directory admits the service account, and nobody else, with a wrong password or with none. Never raises."""
    uri, service = subject.organization.directory, subject.service
    if not uri.startswith("ldapi:"):
        return _another(row, "the organization's own directory server, named in postern.toml", report)
    report.ports.append("unix socket (ldapi)")
    refusal = _refusal(uri, service.name, service.password)
    verdict = Verdict.PASS if refusal is None else Verdict.FAIL
    report.mechanism(MechanismReport(Mechanism.BASIC, verdict, refusal or "", _LOCAL if refusal is None else None))
    if Mechanism.KERBEROS in row.supported_auth:
        waits = "the private directory knows its service account only"
        report.mechanism(MechanismReport(Mechanism.KERBEROS, Verdict.NOT_DEPLOYED, waits))
    wrong = secrets.token_urlsafe(24)
    for what, dn, password in (
        ("an anonymous caller", "", ""),
        ("a name without password", service.name, ""),
        ("a wrong password", service.name, wrong),
        ("an unknown account", "cn=verify-nobody," + service.name.partition(",")[2], service.password),
    ):
        report.check(f"{what} is refused", _refusal(uri, dn, password) is not None, "the bind succeeded")
    _socket(subject.sockets / "slapd" / "ldapi", subject, report)
    report.settle()


def _refusal(uri: str, dn: str, password: str) -> str | None:
    """The error of a bind that failed; None if it succeeded."""
    try:
        answers(uri, dn, password)
    except DirectoryUnavailable as error:
        return str(error)
    return None


def check_database_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Checks that the database admits our own account by peer credentials, and under no other name, and that it listens on its
    unix socket only. Never raises."""
    (served,) = subject.organization.databases_of(subject.here)
    url, folder = served.url, subject.sockets / "postgresql"
    if psycopg.conninfo.conninfo_to_dict(url).get("host") != str(folder):
        return _another(row, "the organization's own database server, named in postern.toml", report)
    report.ports.append("unix socket (postgresql)")
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            (addresses,) = connection.execute("SHOW listen_addresses").fetchone() or ("",)
            report.check("it listens on its unix socket only", addresses == "", f"and on {addresses}")
        report.mechanism(MechanismReport(Mechanism.PEER, Verdict.PASS, "", _LOCAL))
    except psycopg.Error as error:
        report.mechanism(MechanismReport(Mechanism.PEER, Verdict.FAIL, str(error).strip()))
    for mechanism in row.supported_auth:
        if mechanism is not Mechanism.PEER:
            waits = "the private cluster asks the kernel who calls"
            report.mechanism(MechanismReport(mechanism, Verdict.NOT_DEPLOYED, waits))
    report.check("another user's name is refused", not _connects(url, "verify_nobody"), "it was admitted")
    for file in sorted(folder.glob(".s.PGSQL.*[0-9]")):
        _socket(file, subject, report)
    report.settle()


def _connects(url: str, user: str) -> bool:
    with contextlib.suppress(psycopg.Error), psycopg.connect(url, user=user, connect_timeout=5):
        return True
    return False


def _another(row: Path, what: str, report: RowReport) -> None:
    report.verdict, report.detail = Verdict.NOT_DEPLOYED, f"{row.id}: {what}, is not ours to verify"


def _socket(file: FilePath, subject: Subject, report: RowReport) -> None:
    try:
        check_socket(file, subject, report, own_mode=False)
    except OSError as error:
        report.check(f"{file.name} is there", False, str(error))
