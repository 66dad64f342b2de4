"""Checks of every mail row: each listed mechanism succeeds, all others are refused, and no secret goes in clear text.

Reads a settled row and a way to connect; writes into a RowReport. A check that cannot fail is worth nothing:
`tests/verify` points each at a deliberately weak server, where it must fail.
"""

from __future__ import annotations

import dataclasses
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from postern.model.security import Encryption, Mechanism
from postern.net.tls import outdated_context
from postern.paths.guard import CLEAR_TEXT
from postern.paths.row import Path, Port, Tls
from postern.trust.framing.sasl import BINDING, NAMES
from postern.verify.mail_probe import LogonAnswer, ProbeConnection
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.sasl_client import CannotAuthenticate, Credentials, Exchange, exchange_for, spoiled

Connect = Callable[[Port, ssl.SSLContext | None], ProbeConnection]
"""Opens a connection on a row's port; with a context, by TLS from the first byte."""

# Mechanisms that mail servers in the field know; those that a row does not list must be refused.
KNOWN_SASL = ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256",
              "SCRAM-SHA-256-PLUS", "GSSAPI", "EXTERNAL", "XOAUTH2", "ANONYMOUS")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """The tools and expectations of the probes. `waiting` has the reason why a mechanism cannot be there now ("no realm").
    `validating` is a TLS context that trusts the organization's authority only; `stranger` is the same with a self-signed client
    certificate. `host_name` is the name that the certificate and the ticket must have."""

    connect: Connect
    validating: ssl.SSLContext
    stranger: ssl.SSLContext
    credentials: Credentials
    waiting: dict[Mechanism, str]
    host_name: str
    beside: Mapping[int, frozenset[Mechanism]]
    """By port number, the mechanisms that other rows of the same door list. The door shows them, too, which is no fault."""


def check_mail_row(row: Path, ports: Sequence[Port], setting: Setting, report: RowReport) -> None:
    """Runs all checks on every port. Never raises: a port that cannot be reached is a failed check."""
    outcomes: dict[Mechanism, list[MechanismReport]] = {mechanism: [] for mechanism in row.supported_auth}
    for port in ports:
        label = f"{port.number}/TCP"
        try:
            for mechanism in row.supported_auth:
                outcomes[mechanism].append(_mechanism(mechanism, port, setting))
            _refusals(row, port, setting, report)
            report.ports.append(f"{label} ({'SSL' if port.tls is Tls.IMPLICIT else 'TLS'})")
        except (OSError, EOFError, ValueError, CannotAuthenticate) as error:
            report.check(f"port {label} answers", False, f"{type(error).__name__}: {error}")
        except Exception as error:  # the clients' own error classes have no common base
            report.check(f"port {label} speaks the protocol", False, f"{type(error).__name__}: {error}")
    for reports in filter(None, outcomes.values()):
        report.mechanism(next((r for r in reports if r.verdict is Verdict.FAIL), reports[0]))
    report.settle()


def _sealed(port: Port, setting: Setting, context: ssl.SSLContext | None = None) -> ProbeConnection:
    context = context or setting.validating
    if port.tls is Tls.IMPLICIT:
        return setting.connect(port, context)
    connection = setting.connect(port, None)
    try:
        connection.upgrade(context)
    except BaseException:
        connection.close()
        raise
    return connection


def _try(
    connection: ProbeConnection,
    sasl: str,
    who: Credentials,
    host: str,
    spoil: bool = False,
    binding: bytes | None = None,
) -> LogonAnswer:
    """Makes one attempt and closes the connection. It binds to `binding`; None: to the connection, if the mechanism binds. Raises
    CannotAuthenticate if our side cannot begin."""
    try:
        if binding is None:
            binding = connection.binding() if sasl in BINDING else b""
        exchange: Exchange = exchange_for(sasl, who, connection.service, host, binding)
        return connection.authenticate(sasl, spoiled(exchange) if spoil else exchange)
    except CannotAuthenticate:
        raise
    except Exception as error:  # a client that gives up on the server's answer has been refused
        return LogonAnswer(False, f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def _mechanism(mechanism: Mechanism, port: Port, setting: Setting) -> MechanismReport:
    connection = _sealed(port, setting)
    names = _names(mechanism, connection)
    shown = connection.mechanisms()
    seal = connection.seal()
    if reason := setting.waiting.get(mechanism):
        connection.close()
        if extra := set(names) & set(shown):
            return MechanismReport(mechanism, Verdict.FAIL, f"{', '.join(sorted(extra))} is shown, though {reason}")
        return MechanismReport(mechanism, Verdict.NOT_DEPLOYED, reason)
    if missing := [name for name in names if name not in shown]:
        connection.close()
        return MechanismReport(mechanism, Verdict.FAIL, f"{', '.join(missing)} is not shown on port {port.number}")
    for name in names:
        try:
            answer = _try(connection, name, setting.credentials, setting.host_name)
        except CannotAuthenticate as error:
            return MechanismReport(mechanism, Verdict.FAIL, f"{name}: {error}")
        if not answer.yes:
            return MechanismReport(mechanism, Verdict.FAIL, f"{name} on port {port.number}: {answer.reply}")
        if name != names[-1]:
            connection = _sealed(port, setting)
    return MechanismReport(mechanism, Verdict.PASS, "", seal)


def _names(mechanism: Mechanism, connection: ProbeConnection) -> list[str]:
    """The names that must be shown: a mechanism that binds cannot be there where the certificate defines no binding."""
    return [name for name in NAMES.get(mechanism, ()) if name not in BINDING or connection.binding()]


def _refusals(row: Path, port: Port, setting: Setting, report: RowReport) -> None:
    listed = {name for m in row.supported_auth for name in NAMES.get(m, ())}
    others = {name for m in setting.beside.get(port.number or 0, ()) for name in NAMES.get(m, ())}
    where = f"on port {port.number}"

    connection = _sealed(port, setting)
    binding = connection.binding()
    listed -= set() if binding else BINDING
    extra = [name for name in connection.mechanisms() if name not in listed | others]
    connection.close()
    report.check(
        f"only listed mechanisms are shown {where}", not extra, f"also shows {', '.join(extra)}" if extra else ""
    )

    waiting = {name for m in row.supported_auth if m in setting.waiting for name in NAMES.get(m, ())}
    for name in dict.fromkeys((*KNOWN_SASL, *sorted(waiting))):
        if name in waiting or name not in listed | others:
            answer = _try_unlisted(port, setting, name)
            report.check(f"{name} is refused {where}", answer.no, answer.reply)

    wrong = dataclasses.replace(setting.credentials, password=secrets.token_urlsafe(12))
    for name in sorted(listed - waiting):
        # By Kerberos the KDC itself refuses a wrong password: here the ticket is spoiled on its way.
        kerberos = name in NAMES[Mechanism.KERBEROS]
        who, what = (setting.credentials, "a spoiled ticket") if kerberos else (wrong, "a wrong password")
        answer = _try(_sealed(port, setting), name, who, setting.host_name, spoil=kerberos)
        report.check(f"{what} by {name} is refused {where}", answer.no, answer.reply)

    for name in sorted((listed - waiting) & BINDING):
        _bindings(name, binding, port, setting, report, where)
    if port.tls is Tls.UPGRADE:
        _clear_text(row, port, setting, report, where)
    _old_tls(port, setting, report, where)


def _bindings(name: str, binding: bytes, port: Port, setting: Setting, report: RowReport, where: str) -> None:
    """Tries the right password with a wrong binding: only the channel can be the reason for a no (RFC 5802 section 6)."""
    other = binding[:-1] + bytes([binding[-1] ^ 1])
    answer = _try(_sealed(port, setting), name, setting.credentials, setting.host_name, binding=other)
    report.check(f"{name} bound to another channel is refused {where}", answer.no, answer.reply)
    plain = name.removesuffix("-PLUS")
    answer = _try(_sealed(port, setting), plain, setting.credentials, setting.host_name, binding=binding)
    report.check(f"{plain} by who was shown no {name} is refused {where}", answer.no, answer.reply)


def _try_unlisted(port: Port, setting: Setting, name: str) -> LogonAnswer:
    """Tries a mechanism with everything right, so that only the mechanism can be the reason for a no."""
    context = setting.stranger if name == "EXTERNAL" else None
    try:
        return _try(_sealed(port, setting, context), name, setting.credentials, setting.host_name)
    except CannotAuthenticate:
        # Without a ticket there is nothing to say; saying nothing useful must be refused as well.
        connection = _sealed(port, setting)
        try:
            return connection.authenticate(name, lambda _: b"verify")
        except Exception as error:
            return LogonAnswer(False, f"{type(error).__name__}: {error}")
        finally:
            connection.close()


def _clear_text(row: Path, port: Port, setting: Setting, report: RowReport, where: str) -> None:
    connection = setting.connect(port, None)
    try:
        report.check(f"TLS is offered {where}", connection.offers_upgrade(), "no STARTTLS or STLS is shown")
        shown = connection.mechanisms()
        must_hide = {n for m in CLEAR_TEXT for n in NAMES.get(m, ())}
        if row.encryption is Encryption.REQUIRED:
            must_hide = {n for m in row.supported_auth for n in NAMES.get(m, ())} | must_hide
        bad = [name for name in shown if name in must_hide]
        report.check(f"no mechanism is shown before TLS {where}", not bad, f"shows {', '.join(bad)}")
        # The right password: only the missing seal can be the reason for a no.
        answer = connection.clear_login(setting.credentials.name, setting.credentials.password)
        report.check(f"a password in clear text is refused {where}", answer.no, answer.reply)
    finally:
        connection.close()


def _old_tls(port: Port, setting: Setting, report: RowReport, where: str) -> None:
    context = outdated_context()
    try:
        connection = _sealed(port, setting, context)
    except (OSError, EOFError):
        report.check(f"TLS 1.1 is refused {where}", True)
        return
    seal = connection.seal()
    connection.close()
    report.check(f"TLS 1.1 is refused {where}", False, f"negotiated {seal.protocol if seal else 'nothing'}")
