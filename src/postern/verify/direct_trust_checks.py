"""Checks of the rows of direct trust: the certificate that the directory has for this server allows more than strangers may do,
and no other certificate does. The server at the other end shows the certificate that the directory has for it.

Python's own SMTP client sends an envelope and withdraws it (RSET): no message is left behind.
"""

from __future__ import annotations

import contextlib
import hmac
import smtplib
import ssl
from collections.abc import Callable, Sequence

from postern.model.organization import Role, Server
from postern.model.security import Mechanism
from postern.net.tls import opportunistic_context, outdated_context
from postern.paths.row import Party, Path
from postern.verify.edge_directory_checks import not_served
from postern.verify.mail_probe import SmtpConnection
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.stranger import stranger_context
from postern.verify.subject import Subject

_FAULTS = (OSError, EOFError, smtplib.SMTPException)


def check_direct_trust_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Asks every server at the other end. Never raises: a server that cannot be reached is a failed check."""
    waits = ""
    for server in servers:
        if reason := _unrelated(server, subject):
            waits = reason
            continue
        try:
            _Probe(row, subject, server, report).run()
        except _FAULTS as error:
            report.check(f"{server.fqdn} answers", False, f"{type(error).__name__}: {error}")
    if waits and not report.mechanisms and not report.checks:
        report.mechanism(MechanismReport(Mechanism.DIRECT_TRUST, Verdict.NOT_DEPLOYED, waits))
    report.settle()


def _unrelated(server: Server, subject: Subject) -> str:
    """The reason why this host and `server` do not meet by direct trust, or "". An edge meets the hubs of one site only."""
    if Role.EDGE in server.roles:
        return not_served(server, subject)
    if any(certificate.server == server.name for certificate in subject.trusted):
        return ""
    return f"nothing of {server.name} was replicated to {subject.here.name}: it is served by others, or not subscribed"


class _Probe:
    """The checks of one server."""

    def __init__(self, row: Path, subject: Subject, server: Server, report: RowReport) -> None:
        self.row, self.subject, self.server, self.report = row, subject, server, report

    def run(self) -> None:
        """Raises OSError, EOFError or SMTPException if nobody answers where the table says."""
        assert self.subject.certificate is not None
        self._clear()
        connection = self._connect()
        connection.upgrade(opportunistic_context(self.subject.certificate))
        self._pinned(connection)
        refusal, seal = self._refusal(connection), connection.seal()
        connection.close()
        verdict = Verdict.PASS if refusal is None else Verdict.FAIL
        self.report.mechanism(
            MechanismReport(Mechanism.DIRECT_TRUST, verdict, refusal or "", seal if not refusal else None)
        )
        self.report.ports.append("25/TCP (TLS)")
        self._refused("no certificate", opportunistic_context())
        impostor = stranger_context(None, self.subject.here.fqdn)
        self._refused(f"another certificate for {self.subject.here.fqdn}", impostor)
        self._refused("TLS 1.1", outdated_context())

    def _connect(self) -> SmtpConnection:
        number = self.subject.organization.port(25)
        return SmtpConnection(self.server.addresses[0], number, None, self.server.fqdn)

    def _clear(self) -> None:
        connection = self._connect()
        self.report.check("TLS is offered", connection.offers_upgrade(), "no STARTTLS is shown")
        refusal = self._refusal(connection)
        self.report.check("direct trust in clear text is refused", refusal is not None, "the envelope was taken")
        connection.close()

    def _pinned(self, connection: SmtpConnection) -> None:
        sock = connection.client.sock
        shown = sock.getpeercert(True) if isinstance(sock, ssl.SSLSocket) else None
        expected = [trusted.der for trusted in self.subject.trusted if trusted.server == self.server.name]
        same = any(hmac.compare_digest(der, shown or b"") for der in expected)
        self.report.check(f"{self.server.fqdn} shows the certificate that the directory has for it", same, "another")

    def _refused(self, what: str, context: ssl.SSLContext) -> None:
        refusal: str | None
        try:
            connection = self._connect()
            try:
                connection.upgrade(context)
                refusal = self._refusal(connection)
            finally:
                connection.close()
        except _FAULTS as error:
            refusal = f"{type(error).__name__}: {error}"
        self.report.check(f"{what} is refused", refusal is not None, "the envelope was taken")

    def _refusal(self, connection: SmtpConnection) -> str | None:
        """Tries an envelope that only this row allows: through an edge to anywhere, or from anywhere through a hub that knows an
        edge. Returns the text of the refusal; None if the envelope is taken."""
        inward = self.row.callee is Party.HUB
        recipient = self.subject.probe.name if inward else "someone@elsewhere.invalid"
        steps: tuple[Callable[[], tuple[int, bytes]], ...] = (
            lambda: connection.client.mail("verify@stranger.invalid"),
            lambda: connection.client.rcpt(recipient),
        )
        for step in steps:
            code, reply = step()
            if code >= 300:
                return f"{code} {reply.decode(errors='replace')}"
        with contextlib.suppress(*_FAULTS):
            connection.client.rset()
        return None
