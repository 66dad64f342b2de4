"""Checks of a row of the web: each listed mechanism succeeds, all others are refused, and nothing is asked in clear text."""

from __future__ import annotations

import dataclasses
import http.client
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from postern.model.domains import a_labels
from postern.model.organization import Server
from postern.model.security import Encryption, Mechanism
from postern.net.tls import opportunistic_context, outdated_context, validating_context
from postern.paths.row import Path, Tls
from postern.verify.certificate_checks import CertificateChecks, ProbeIssuer
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.sasl_client import CannotAuthenticate, Credentials, spoiled
from postern.verify.subject import Subject
from postern.verify.waiting import no_realm, waiting_mechanisms
from postern.verify.web_probe import SCHEMES, Page, WebConnection, exchange_for

KNOWN = ("Basic", "Digest", "NTLM", "Negotiate", "Bearer")
"""Schemes that servers in the field know; those that a row does not list must be refused."""
_MECHANISMS = {scheme: mechanism for mechanism, scheme in SCHEMES.items() if mechanism is not Mechanism.KERBEROS}


@dataclass(frozen=True, slots=True)
class WebRow:
    """Asks every server of a row for the page `target`, in which "{domain}" stands for a domain of the organization."""

    target: str

    def __call__(self, row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
        waiting = _waiting(subject, row)
        target = self.target.replace("{domain}", a_labels(subject.organization.default_domain))
        for server in servers:
            _Door(row, target, server, subject, waiting, report).check()
        report.settle()


@dataclass(frozen=True, slots=True)
class _Door:
    row: Path
    target: str
    server: Server
    subject: Subject
    waiting: Mapping[Mechanism, str]
    report: RowReport

    def check(self) -> None:
        """Never raises: a port that cannot be reached is a failed check."""
        for port in self.row.ports:
            label = f"{port.number}/TCP"
            try:
                if port.tls is not Tls.IMPLICIT:
                    self._in_clear()
                elif Mechanism.ANONYMOUS in self.row.supported_auth:
                    self._anybody()
                else:
                    self._callers()
                if port.tls is Tls.IMPLICIT:
                    self._old_tls()
                self.report.ports.append(f"{label} (SSL)" if port.tls is Tls.IMPLICIT else label)
            except (OSError, ValueError, http.client.HTTPException, CannotAuthenticate) as error:
                self.report.check(f"port {label} answers", False, f"{type(error).__name__}: {error}")

    def _connect(self, number: int = 443, old: bool = False) -> WebConnection:
        # Each host has an authority of its own, so another host's certificate proves nothing here.
        own = self.server.name == self.subject.here.name
        context = validating_context(self.subject.authority) if own else opportunistic_context()
        if old:
            context = outdated_context()
        real = self.subject.organization.port(number)
        return WebConnection(self.server.addresses[0], real, context if number == 443 else None, self.server.fqdn)

    def _ask(self, ask: Callable[[WebConnection], Page], number: int = 443) -> Page:
        connection = self._connect(number)
        try:
            return ask(connection)
        finally:
            connection.close()

    def _anybody(self) -> None:
        connection = self._connect()
        try:
            page = connection.ask("GET", self.target)
            self.report.check("anybody is answered in TLS", page.yes, f"answers {page.status}")
            self.report.check("answers in TLS have HSTS", page.is_strict, "has none")
            status = connection.ask("DELETE", self.target).status
            self.report.check("DELETE is refused", status == 405, f"answers {status}")
            verdict = Verdict.PASS if page.yes else Verdict.FAIL
            self.report.mechanism(
                MechanismReport(Mechanism.ANONYMOUS, verdict, f"answers {page.status}", connection.seal())
            )
        finally:
            connection.close()

    def _in_clear(self) -> None:
        """In clear text, with the right password: a redirect or a refusal, and never a challenge."""
        who = self.subject.probe
        asked = self._ask(lambda c: c.ask("GET", self.target), 80)
        if self.row.encryption is not Encryption.REQUIRED and Mechanism.ANONYMOUS in self.row.supported_auth:
            self.report.check("anybody is answered in clear text", asked.yes, f"answers {asked.status}")
            return
        basic = exchange_for(Mechanism.BASIC, who, self.server.fqdn, False)
        shown = self._ask(lambda c: c.log_on("GET", self.target, "Basic", basic), 80)
        for name, page in (("a request in clear text", asked), ("a password in clear text", shown)):
            moved = page.status in (301, 302, 307, 308) and page.location.startswith("https://")
            self.report.check(f"{name} is sent to TLS", moved, f"answers {page.status} {page.location}")
            self.report.check(f"{name} is not asked who it is", not page.challenges, f"shows {page.schemes}")
        if self.server.name == self.subject.here.name:
            for name in self.subject.organization.looked_for():
                self._moved_to_a_name_of_ours(name)
        status = self._ask(lambda c: c.log_on("POST", self.target, "Basic", basic), 80).status
        self.report.check("a POST in clear text is refused", status == 403, f"answers {status}")

    def _moved_to_a_name_of_ours(self, name: str) -> None:
        """Clients look for their settings under this name. A redirect to one that the certificate does not have ends in a
        warning."""
        host = urlsplit(self._ask(lambda c: c.ask("GET", self.target, host=name), 80).location).hostname or ""
        real = self.subject.organization.port(443)
        try:
            context = validating_context(self.subject.authority)
            WebConnection(self.server.addresses[0], real, context, host).close()
        except (OSError, ValueError) as error:
            self.report.check(f"{name} is sent to a name in the certificate", False, f"{host}: {error}")
        else:
            self.report.check(f"{name} is sent to a name in the certificate", True)

    def _callers(self) -> None:
        connection = self._connect()
        seal, page = connection.seal(), connection.ask("GET", self.target)
        connection.close()
        listed = {SCHEMES[m] for m in self.row.supported_auth if m in SCHEMES and m not in self.waiting}
        self.report.check("a caller without credentials is asked", page.status == 401, f"answers {page.status}")
        self.report.check("answers in TLS have HSTS", page.is_strict, "has none")
        extra = set(page.schemes) - listed
        self.report.check("only listed mechanisms are shown", not extra, f"also shows {', '.join(sorted(extra))}")
        for mechanism in self.row.supported_auth:
            if reason := self.waiting.get(mechanism):
                self.report.mechanism(MechanismReport(mechanism, Verdict.NOT_DEPLOYED, reason))
            elif mechanism is Mechanism.CERTIFICATE:
                self._certificates()
            elif SCHEMES[mechanism] not in page.schemes:
                self.report.mechanism(MechanismReport(mechanism, Verdict.FAIL, f"{SCHEMES[mechanism]} is not shown"))
            else:
                answer = self._log_on(mechanism, self.subject.probe)
                verdict = Verdict.PASS if answer.yes else Verdict.FAIL
                self.report.mechanism(MechanismReport(mechanism, verdict, f"answers {answer.status}", seal))
        self._refusals(listed)

    def _certificates(self) -> None:
        """By each name that asks for certificates; those of another host's authority prove nothing there."""
        authority = self.subject.probe_authority
        if self.server.name != self.subject.here.name or authority is None:
            where = f"on {self.server.name}: its own `postern verify` tries them"
            self.report.mechanism(MechanismReport(Mechanism.CERTIFICATE, Verdict.ELSEWHERE, where))
            return
        for name in self.subject.organization.asking_names():
            CertificateChecks(
                name,
                self.server,
                self.target,
                self.subject,
                ProbeIssuer(authority, self.subject.probe.name),
                self.report,
            ).check()

    def _refusals(self, listed: set[str]) -> None:
        wrong = dataclasses.replace(self.subject.probe, password=secrets.token_urlsafe(12))
        for scheme in KNOWN:
            mechanism = _MECHANISMS.get(scheme)
            if scheme not in listed:
                page = self._try_unlisted(scheme, mechanism)
                self.report.check(f"{scheme} is refused", page.status in (401, 403), f"answers {page.status}")
            elif mechanism is not None:
                # By Kerberos the KDC itself refuses a wrong password: there the ticket is spoiled on its way.
                spoil = self._by_kerberos and mechanism is Mechanism.NEGOTIATE
                page = self._log_on(mechanism, self.subject.probe if spoil else wrong, spoil)
                proof = "a spoiled ticket" if spoil else "a wrong password"
                self.report.check(f"{proof} by {scheme} is refused", page.status == 401, f"answers {page.status}")

    def _try_unlisted(self, scheme: str, mechanism: Mechanism | None) -> Page:
        """Tries a scheme with everything right, so that only the scheme can be the reason for a no."""
        try:
            if mechanism is not None:
                return self._log_on(mechanism, self.subject.probe)
        except CannotAuthenticate:
            pass  # without a ticket there is nothing to say; saying nothing useful must be refused as well
        return self._ask(lambda c: c.ask("GET", self.target, f"{scheme} dmVyaWZ5"))

    @property
    def _by_kerberos(self) -> bool:
        return not no_realm(self.subject.organization)

    def _log_on(self, mechanism: Mechanism, who: Credentials, spoil: bool = False) -> Page:
        if mechanism is Mechanism.DIGEST:
            return self._ask(lambda c: c.digest("GET", self.target, who))
        exchange = exchange_for(mechanism, who, self.server.fqdn, self._by_kerberos)
        proof = spoiled(exchange) if spoil else exchange
        return self._ask(lambda c: c.log_on("GET", self.target, SCHEMES[mechanism], proof))

    def _old_tls(self) -> None:
        try:
            connection = self._connect(old=True)
        except OSError:
            self.report.check("TLS 1.1 is refused", True)
            return
        seal = connection.seal()
        connection.close()
        self.report.check("TLS 1.1 is refused", False, f"negotiated {seal.protocol if seal else 'nothing'}")


def _waiting(subject: Subject, row: Path) -> dict[Mechanism, str]:
    """Mechanisms that callers cannot have now, with the reason. Negotiate needs Kerberos, or NTLM that the row lists too."""
    waiting = waiting_mechanisms(subject.organization, subject.enabled)
    if subject.organization.client_certificates is not None:
        del waiting[Mechanism.CERTIFICATE]
    else:
        waiting[Mechanism.CERTIFICATE] = "no host name asks for them ([client-certificates] in postern.toml)"
    if subject.organization.active_directory is not None:
        waiting[Mechanism.DIGEST] = "Active Directory keeps no hash for Digest that we may read"
    elif Mechanism.DIGEST not in subject.enabled:
        waiting[Mechanism.DIGEST] = "not enabled (postern domain auth enable digest)"
    has_ntlm = Mechanism.NTLM in row.supported_auth and Mechanism.NTLM not in waiting
    if Mechanism.KERBEROS in waiting and not has_ntlm:
        waiting[Mechanism.NEGOTIATE] = waiting[Mechanism.KERBEROS]
    return waiting
