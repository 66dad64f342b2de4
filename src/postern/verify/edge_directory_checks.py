"""Checks of an edge's own directory. From a hub (edgesync): inside TLS, the server with the published certificate admits the
replication account, which may do nothing but replicate, and nobody else. On the edge (edge-adam): the directory admits the edge's
own processes by the mechanisms of the row, and neither passwords nor strangers.

OpenLDAP's tools ask. If the directory takes an entry that it must refuse, the check deletes the entry again.
"""

from __future__ import annotations

import hmac
import secrets
import ssl
from collections.abc import Mapping, Sequence

from postern.directory.adam import layout
from postern.directory.ldap.client import socket_uri
from postern.model.organization import Server
from postern.model.security import Encryption, Mechanism, Seal
from postern.net.tls import certificate_der, opportunistic_context, outdated_context
from postern.paths.row import Path, Tls
from postern.verify.ldap_tools import UNREACHED, ToolAnswer, ask
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject
from postern.verify.tls_probe import listens, look
from postern.verify.unix_sockets import check_socket

LDAPS, LDAP = 50636, 50389
SERVICE_NAME = "postern"
"""The SASL name of the edge's own processes."""
_TOO_OPEN = frozenset({8, 13})
"""RFC 4511 appendix A.2: strongerAuthRequired, confidentialityRequired: the password was not even looked at."""
_REFUSALS = _TOO_OPEN | {7, 48, 49, 50, 53, 80}
"""In addition: authMethodNotSupported, inappropriateAuthentication, invalidCredentials, insufficientAccessRights,
unwillingToPerform, and other, the result of a failed SASL exchange."""
_NOT_THERE = 32
_NOBODY = f"cn=verify-nobody,{layout.ACCOUNTS}"


def check_edgesync_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Asks the directory of every edge that this hub's site serves. Never raises."""
    waits = ""
    for edge in servers:
        if reason := not_served(edge, subject):
            waits = reason
        else:
            _EdgeSync(row, subject, edge, report).run()
    if waits and not report.mechanisms:
        for mechanism in row.supported_auth:
            report.mechanism(MechanismReport(mechanism, Verdict.NOT_DEPLOYED, waits))
    report.settle()


def not_served(edge: Server, subject: Subject) -> str:
    """The reason why this hub does not serve an edge; "" if it does."""
    site = subject.subscribed.get(edge.name)
    if site is None:
        return f"{edge.name} is not subscribed (`postern edge subscribe`)"
    return "" if site == subject.here.site else f"{edge.name} is served by the hubs of the site {site}"


class _Asked:
    """The checks of one directory on one host."""

    def __init__(self, row: Path, subject: Subject, report: RowReport, host: str) -> None:
        self.row, self.subject, self.report, self.host = row, subject, report, host

    def url(self, scheme: str, number: int) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.subject.organization.port(number)}"

    def refused(self, what: str, answer: ToolAnswer) -> None:
        """Checks that a bind was refused. No answer is no refusal, nor is a tool that could not try."""
        self.report.check(
            f"{what} is refused", answer.status in _REFUSALS, answer.message if answer.status else "it was admitted"
        )

    def clear_password(self, who: str, options: tuple[str, ...] = ()) -> None:
        """Tries a made-up password, so that none of ours ever crosses the wire in clear text."""
        answer = ask(
            "ldapwhoami", self.url("ldap", LDAP), "-x", "-D", who, *options, password=secrets.token_urlsafe(12)
        )
        what = f"a password in clear text is refused on port {LDAP}"
        self.report.check(what, answer.status in _TOO_OPEN, answer.message if answer.status else "it was admitted")

    def pinned(self, number: int, expected: tuple[bytes, ...], start_tls: bool) -> Seal | None:
        """Checks that the server shows one of the `expected` certificates. Returns the seal; None if there is no TLS."""
        try:
            shown = look(self.host, self.subject.organization.port(number), opportunistic_context(), start_tls)
        except OSError as error:
            self.report.check(f"port {number}/TCP speaks TLS", False, f"{type(error).__name__}: {error}")
            return None
        same = any(hmac.compare_digest(certificate, shown.certificate) for certificate in expected)
        self.report.check(f"the certificate on port {number} is the one that is known", same, "it is another")
        return shown.seal

    def old_tls(self, number: int, start_tls: bool) -> None:
        try:
            shown = look(self.host, self.subject.organization.port(number), outdated_context(), start_tls)
        except (ssl.SSLError, ConnectionError):
            self.report.check(f"TLS 1.1 is refused on port {number}", True)
        except OSError as error:
            self.report.check(f"TLS 1.1 is refused on port {number}", False, f"{type(error).__name__}: {error}")
        else:
            self.report.check(f"TLS 1.1 is refused on port {number}", False, f"negotiated {shown.seal.protocol}")


class _EdgeSync(_Asked):
    """The checks of one edge by a hub."""

    def __init__(self, row: Path, subject: Subject, edge: Server, report: RowReport) -> None:
        super().__init__(row, subject, report, edge.addresses[0])
        self.edge = edge

    def run(self) -> None:
        accounts = self.subject.replication.get(self.edge.name, ())
        if not accounts:
            reason = f"this hub has no account on {self.edge.name} that is good now"
            self.report.mechanism(MechanismReport(Mechanism.BASIC, Verdict.FAIL, reason))
            return
        expected = tuple(trusted.der for trusted in self.subject.trusted if trusted.server == self.edge.name)
        seal = self.pinned(LDAPS, expected, start_tls=False)
        if seal is None or self.report.failures():
            return  # a password goes only to the server whose certificate was published
        self.report.ports.append(f"{LDAPS}/TCP (SSL)")
        answers = [self._bind(account) for account in accounts]
        good = [account for account, answer in zip(accounts, answers, strict=True) if answer.status == 0]
        verdict, detail = (Verdict.PASS, "") if good else (Verdict.FAIL, answers[0].message)
        self.report.mechanism(MechanismReport(Mechanism.BASIC, verdict, detail, seal if good else None))
        self._refusals((good or accounts)[0])
        if good:
            self._rights(good[0])
        self.old_tls(LDAPS, start_tls=False)
        self._unsealed(accounts[0])

    def _bind(self, who: Credentials) -> ToolAnswer:
        return ask("ldapwhoami", self.url("ldaps", LDAPS), "-x", "-D", who.name, password=who.password)

    def _refusals(self, account: Credentials) -> None:
        url = self.url("ldaps", LDAPS)
        self.refused("an anonymous caller", ask("ldapwhoami", url, "-x"))
        self.refused("a name without password", self._bind(Credentials(account.name, "")))
        self.refused("a wrong password", self._bind(Credentials(account.name, secrets.token_urlsafe(24))))
        self.refused("an unknown account", self._bind(Credentials(_NOBODY, account.password)))
        for dn, whose in ((layout.SERVICE, "the edge's own account"), (layout.ADMINISTRATOR, "the administrator")):
            self.refused(f"{whose} with a hub's password", self._bind(Credentials(dn, account.password)))
        for mechanism in ("NTLM", "PLAIN", "SCRAM-SHA-1", "DIGEST-MD5"):
            answer = ask("ldapwhoami", url, "-N", "-Q", "-Y", mechanism, "-U", SERVICE_NAME, password=account.password)
            self.report.check(f"{mechanism} is refused", answer.status not in (0, UNREACHED), answer.message)

    def _rights(self, who: Credentials) -> None:
        """Checks that the account reads and writes the entries that it replicates, and no others."""
        bound = ("-x", "-D", who.name)
        url = self.url("ldaps", LDAPS)

        def entries(base: str, scope: str = "sub") -> int:
            answer = ask("ldapsearch", url, *bound, "-LLL", "-b", base, "-s", scope, "1.1", password=who.password)
            lines = answer.output.splitlines()
            return sum(line.startswith("dn:") for line in lines) if answer.status in (0, _NOT_THERE) else UNREACHED

        count = entries(layout.STATE, "base")
        self.report.check("the account reads how far it replicated", count == 1, f"{count} entries")
        for base, what in (
            (layout.ACCOUNTS, "accounts"),
            (layout.REQUESTS, "requests for accounts"),
            ("cn=config", "configuration of the server"),
        ):
            count = entries(base)
            self.report.check(f"the account reads no {what}", count == 0, f"{count} entries")
        entry = f"dn: {_NOBODY}\nobjectClass: container\ncn: verify-nobody\n"
        answer = ask("ldapadd", url, *bound, password=who.password, stdin=entry)
        if answer.status == 0:
            ask("ldapdelete", url, *bound, _NOBODY, password=who.password)
        self.report.check(
            "the account makes no other accounts",
            answer.status in (50, _NOT_THERE),
            answer.message if answer.status else "it did",
        )

    def _unsealed(self, account: Credentials) -> None:
        """Checks the port without TLS: it takes no password. Unless the row lists it, only the edge itself can reach it."""
        if any(port.number == LDAP for port in self.row.ports):
            self.clear_password(account.name)
            self.report.ports.append(f"{LDAP}/TCP (no SSL)")
        elif self.edge.name != self.subject.here.name and not _loopback(self.host):
            door = self.subject.organization.port(LDAP)
            self.report.check(f"port {LDAP} is closed to hubs", not listens(self.host, door), "it answers")
            self.report.closed.append(f"{self.host} TCP {door}")
        else:
            self.clear_password(account.name)


def check_adam_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Asks this edge's own directory. Never raises."""
    _Adam(row, subject, report).run()
    report.settle()


class _Adam(_Asked):
    """The checks of this edge's own directory."""

    def __init__(self, row: Path, subject: Subject, report: RowReport) -> None:
        super().__init__(row, subject, report, subject.here.loopback)
        self.sealed = row.encryption is Encryption.REQUIRED
        self.start_tls = ("-ZZ",) if row.port(LDAP).tls is Tls.UPGRADE else ()

    def run(self) -> None:
        seal = None
        if self.start_tls:
            certificate = self.subject.certificate
            assert certificate is not None
            seal = self.pinned(LDAP, (certificate_der(certificate),), start_tls=True)
            if seal is None:
                return
            self.old_tls(LDAP, start_tls=True)
        self.report.ports.append(f"{LDAP}/TCP ({'TLS' if self.start_tls else 'no SSL'})")
        for mechanism in self.row.supported_auth:
            if mechanism is Mechanism.PEER:
                self._peer()
            else:
                self.report.mechanism(self._sasl(mechanism, seal))
        self._refusals()

    def _sasl(self, mechanism: Mechanism, seal: Seal | None) -> MechanismReport:
        service = self.subject.service
        if mechanism is Mechanism.NTLM:
            answer = self._ask("-Y", "NTLM", "-U", SERVICE_NAME, password=service.password)
        elif not service.keytab:
            return MechanismReport(mechanism, Verdict.NOT_DEPLOYED, "the edge has no keytab: it is in no domain")
        else:
            names = {"KRB5_CLIENT_KTNAME": f"FILE:{service.keytab}", "KRB5CCNAME": "MEMORY:verify"}
            answer = self._ask("-Y", "GSSAPI", environment=names)
        if answer.status == 0 and layout.SERVICE.lower() in answer.output.lower():
            return MechanismReport(mechanism, Verdict.PASS, "", seal)
        return MechanismReport(mechanism, Verdict.FAIL, answer.output.strip() or answer.message)

    def _peer(self) -> None:
        file = self.subject.sockets / "adam" / "ldapi"
        self.report.ports.append("unix socket (ldapi)")
        answer = ask("ldapwhoami", socket_uri(str(file)), "-Q", "-Y", "EXTERNAL")
        admitted = answer.status == 0 and layout.SERVICE.lower() in answer.output.lower()
        passed = MechanismReport(Mechanism.PEER, Verdict.PASS, "", Seal("local", "unix"))
        failed = MechanismReport(Mechanism.PEER, Verdict.FAIL, answer.output.strip() or answer.message)
        self.report.mechanism(passed if admitted else failed)
        self.refused("an anonymous caller on the unix socket", ask("ldapwhoami", socket_uri(str(file)), "-x"))
        try:
            check_socket(file, self.subject, self.report, own_mode=False)
        except OSError as error:
            self.report.check(f"{file.name} is there", False, str(error))

    def _refusals(self) -> None:
        password = self.subject.service.password
        where = f"on port {LDAP}"
        self.refused(f"an anonymous caller {where}", self._ask("-x"))
        # The right password: only the mechanism can be the reason for a no.
        self.refused(f"Basic {where}", self._ask("-x", "-D", layout.SERVICE, password=password))
        self.clear_password(layout.SERVICE)
        if Mechanism.NTLM in self.row.supported_auth:
            wrong = secrets.token_urlsafe(24)
            self.refused(
                f"a wrong password by NTLM {where}", self._ask("-Y", "NTLM", "-U", SERVICE_NAME, password=wrong)
            )
            nobody = self._ask("-Y", "NTLM", "-U", "verify-nobody", password=password)
            self.refused(f"an unknown account by NTLM {where}", nobody)
            if self.sealed:
                answer = ask("ldapsearch", self.url("ldap", LDAP), "-Q", "-Y", "NTLM", "-U", SERVICE_NAME, "-b",
                           layout.STATE, "-s", "base", "1.1", password=password)  # fmt: skip
                self.refused(f"NTLM in clear text {where}", answer)
        for name in ("NTLM", "PLAIN", "SCRAM-SHA-1", "DIGEST-MD5"):
            if name != "NTLM" or Mechanism.NTLM not in self.row.supported_auth:
                answer = self._ask("-Y", name, "-U", SERVICE_NAME, password=password)
                self.report.check(f"{name} is refused {where}", answer.status not in (0, UNREACHED), answer.message)

    def _ask(
        self, *options: str, password: str | None = None, environment: Mapping[str, str] | None = None
    ) -> ToolAnswer:
        # -N: no question to the name servers for the address that we know.
        quiet = ("-N", "-Q") if "-Y" in options else ()
        url = self.url("ldap", LDAP)
        return ask("ldapwhoami", url, *self.start_tls, *quiet, *options, password=password, environment=environment)


def _loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
