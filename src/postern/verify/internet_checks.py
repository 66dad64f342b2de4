"""Checks of the door to strangers (internet-to-hub, edge-to-edge): it takes mail for us from anybody, relays none, offers TLS.

The checks send an envelope and withdraw it (RSET): no message is left behind.
"""

from __future__ import annotations

import contextlib
import smtplib
from collections.abc import Sequence

from postern.model.security import Mechanism
from postern.net.tls import outdated_context
from postern.paths.row import Port
from postern.verify.mail_checks import Setting
from postern.verify.mail_probe import SmtpConnection
from postern.verify.report import MechanismReport, RowReport, Verdict


def check_internet_row(ports: Sequence[Port], setting: Setting, report: RowReport) -> None:
    """Asks port by port, in clear text and over TLS. Never raises."""
    for port in ports:
        try:
            clear = _connect(setting, port)
            report.check(f"TLS is offered on port {port.number}", clear.offers_upgrade(), "no STARTTLS is shown")
            _envelope(clear, setting, report, "in clear text")
            clear.close()
            sealed = _connect(setting, port)
            sealed.upgrade(setting.validating)
            seal = sealed.seal()
            _envelope(sealed, setting, report, "over TLS")
            sealed.close()
            report.mechanism(MechanismReport(Mechanism.ANONYMOUS, Verdict.PASS, "", seal))
            if Mechanism.CERTIFICATE in report.row.supported_auth:
                _certificate(setting, port, report)
            _old_tls(setting, port, report)
            report.ports.append(f"{port.number}/TCP (TLS)")
        except (OSError, EOFError, smtplib.SMTPException) as error:
            report.check(f"port {port.number}/TCP answers", False, f"{type(error).__name__}: {error}")
    report.settle()


def _connect(setting: Setting, port: Port) -> SmtpConnection:
    connection = setting.connect(port, None)
    assert isinstance(connection, SmtpConnection)
    return connection


def _envelope(connection: SmtpConnection, setting: Setting, report: RowReport, how: str) -> None:
    client = connection.client
    code, reply = client.mail("verify@stranger.invalid")
    report.check(f"a stranger may begin {how}", code == 250, _shown(code, reply))
    code, reply = client.rcpt(setting.credentials.name)
    report.check(f"a mailbox is accepted {how}", code == 250, _shown(code, reply))
    code, reply = client.rcpt("postmaster")
    report.check(f"postmaster is accepted {how}", code == 250, _shown(code, reply))
    domain = setting.credentials.name.partition("@")[2]
    code, reply = client.rcpt(f"nobody-has-this-name@{domain}")
    report.check(f"an unknown mailbox is refused {how}", code == 550, _shown(code, reply))
    code, reply = client.rcpt("someone@elsewhere.invalid")
    report.check(f"relaying is refused {how}", 500 <= code < 600, _shown(code, reply))
    client.rset()


def _certificate(setting: Setting, port: Port, report: RowReport) -> None:
    """Checks that a self-signed certificate is let in and proves nothing. Nobody here has one that a foreign authority signed."""
    connection = _connect(setting, port)
    connection.upgrade(setting.stranger)
    _envelope(connection, setting, report, "with a certificate that nobody signed")
    connection.close()
    waits = "needs a certificate that an authority of strangers signed"
    report.mechanism(MechanismReport(Mechanism.CERTIFICATE, Verdict.NOT_DEPLOYED, waits))


def _old_tls(setting: Setting, port: Port, report: RowReport) -> None:
    connection = _connect(setting, port)
    try:
        connection.upgrade(outdated_context())
        seal = connection.seal()
        report.check("TLS 1.1 is refused", False, f"negotiated {seal.protocol if seal else 'nothing'}")
    except (OSError, EOFError, smtplib.SMTPException):
        report.check("TLS 1.1 is refused", True)
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            connection.close()


def _shown(code: int, reply: bytes) -> str:
    return f"{code} {reply.decode(errors='replace')}"
