"""What is asked of the rows to Active Directory: every controller that is said to be up gives this server's account a ticket and
answers it sealed, on LDAP and in the global catalogue; it takes no password in clear text, nothing unsealed, and nobody unknown.

Asked by OpenLDAP's ldapsearch, which nobody here wrote, with the server's own keys. What clients of an organization may ask of
their domain controllers besides is the domain's to say.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from postern.model.directory import DomainController
from postern.model.organization import Server
from postern.model.security import Mechanism, Seal
from postern.paths.row import Path
from postern.protocols.dcerpc.interfaces.netlogon import NETLOGON
from postern.services.rpc.client import RpcError
from postern.verify.ldap_tools import Said, ask
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.rpc_probe import Place, mapped
from postern.verify.subject import Subject

SEALED = 256
"""AES-256: MIT's strength of a sealed connection, in bits."""
_STRONGER = 8
"""RFC 4511 appendix A.2, strongerAuthRequired: the controller wants a seal, whatever the password."""
_UNKNOWN = (1, 8, 32, 49, 50, 53)
"""What controllers say to nobody in particular: operationsError (Windows and Samba), and the refusals of RFC 4511."""
_LDAP, _CATALOGUE, _MAPPER = 389, 3268, 135
_ROOT = ("-b", "", "-s", "base", "defaultNamingContext")
"""What is asked where only the bind counts; options may follow it."""


def check_ad_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Asks every controller that is up; `servers` is this host alone. Never raises."""
    controllers = [one for one in subject.controllers if one.up]
    report.check("a domain controller is up", bool(controllers), "none is known, or none answers")
    for controller in controllers:
        _Probe(row, subject, controller, report).run()
    report.settle()


class _Probe:
    """One controller."""

    def __init__(self, row: Path, subject: Subject, controller: DomainController, report: RowReport) -> None:
        self.row, self.subject, self.controller, self.report = row, subject, controller, report

    def run(self) -> None:
        doors = [_LDAP, _CATALOGUE] if self.controller.global_catalogue else [_LDAP]
        for number in doors:
            said = self._ask(number, *_ROOT, "-Q", "-Y", "GSSAPI", "-O", f"minssf={SEALED}")
            verdict = Verdict.PASS if said.status == 0 else Verdict.FAIL
            seal = Seal("Kerberos", f"SSF {SEALED}") if said.status == 0 else None
            detail = "" if said.status == 0 else f"{self.controller.fqdn}:{number}: {said.words}"
            self.report.mechanism(MechanismReport(Mechanism.KERBEROS, verdict, detail, seal))
            if said.status == 0:
                self.report.ports.append(f"{number}/TCP (LDAP)")
            self._refusals(number)
        self._netlogon()

    def _refusals(self, number: int) -> None:
        where = f"on {self.controller.fqdn}:{number}"
        # A made-up password, so that none of ours ever crosses the wire in clear text.
        made_up = secrets.token_urlsafe(12)
        said = self._ask(number, *_ROOT, "-x", "-D", self.subject.machine.name, password=made_up)
        self.report.check(f"a password in clear text is refused {where}", said.status == _STRONGER, said.words)
        said = self._ask(number, *_ROOT, "-Q", "-Y", "GSSAPI", "-O", "maxssf=0")
        self.report.check(f"Kerberos without a seal is refused {where}", said.status == _STRONGER, said.words)
        said = self._ask(number, "-x", "-b", self._root, "-s", "sub", "-z", "1", "(objectClass=user)", "cn")
        refused = said.status in _UNKNOWN and not said.output.strip()
        self.report.check(
            f"an anonymous search is refused {where}", refused, said.words if said.status else "it was answered"
        )

    @property
    def _root(self) -> str:
        domain = self.subject.organization.active_directory
        assert domain is not None
        return ",".join(f"DC={label}" for label in domain.domain.split("."))

    def _ask(self, number: int, *options: str, password: str | None = None) -> Said:
        keys = {"KRB5_CLIENT_KTNAME": f"FILE:{self.subject.machine.keytab}", "KRB5CCNAME": "MEMORY:verify"}
        url = f"ldap://{self.controller.fqdn}:{number}"
        return ask("ldapsearch", url, "-LLL", "-N", *options, password=password, environment=keys)

    def _netlogon(self) -> None:
        """NTLM is passed through to netlogon: the endpoint mapper says where it is."""
        place = Place(self.row, self.controller.address, _MAPPER)
        where = f"{self.controller.fqdn} names netlogon's port"
        try:
            number = asyncio.run(mapped(place, NETLOGON))
        except (OSError, TimeoutError, RpcError) as error:
            self.report.check(where, False, f"{type(error).__name__}: {error}")
            return
        self.report.check(where, number > 0, "it names none")
        self.report.ports += ["135/TCP (RPC)", f"{number}/TCP (RPC netlogon)"]
