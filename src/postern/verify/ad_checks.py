"""Checks of the rows to Active Directory: every controller that is known to be up gives this server's account a ticket and
answers it sealed, on LDAP and in the global catalogue. It takes no password in clear text, nothing unsealed, no unknown caller.

OpenLDAP's ldapsearch, an independent program, asks with the server's own keys. The domain decides what clients of an organization
may ask of their domain controllers besides.
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
from postern.verify.ldap_tools import ToolAnswer, ask
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.rpc_probe import Place, mapped
from postern.verify.subject import Subject

SEALED = 256
"""Bits of a connection that is sealed by AES-256, as MIT's library counts them."""
_STRONGER = 8
"""RFC 4511 appendix A.2, strongerAuthRequired: the controller wants a seal, whatever the password."""
_UNKNOWN = (1, 8, 32, 49, 50, 53)
"""The result codes by which controllers refuse an unknown caller: operationsError (Windows and Samba), and those of RFC 4511."""
_LDAP, _CATALOGUE, _MAPPER = 389, 3268, 135
_ROOT = ("-b", "", "-s", "base", "defaultNamingContext")
"""The options of a search of which only the bind counts; others may follow."""


def check_ad_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Asks every controller that is up; `servers` is this host alone. Never raises."""
    controllers = [controller for controller in subject.controllers if controller.up]
    report.check("a domain controller is up", bool(controllers), "none is known, or none answers")
    for controller in controllers:
        _Probe(row, subject, controller, report).run()
    report.settle()


class _Probe:
    """The checks of one controller."""

    def __init__(self, row: Path, subject: Subject, controller: DomainController, report: RowReport) -> None:
        self.row, self.subject, self.controller, self.report = row, subject, controller, report

    def run(self) -> None:
        doors = [_LDAP, _CATALOGUE] if self.controller.global_catalogue else [_LDAP]
        for number in doors:
            answer = self._ask(number, *_ROOT, "-Q", "-Y", "GSSAPI", "-O", f"minssf={SEALED}")
            verdict = Verdict.PASS if answer.status == 0 else Verdict.FAIL
            seal = Seal("Kerberos", f"SSF {SEALED}") if answer.status == 0 else None
            detail = "" if answer.status == 0 else f"{self.controller.fqdn}:{number}: {answer.message}"
            self.report.mechanism(MechanismReport(Mechanism.KERBEROS, verdict, detail, seal))
            if answer.status == 0:
                self.report.ports.append(f"{number}/TCP (LDAP)")
            self._refusals(number)
        self._netlogon()

    def _refusals(self, number: int) -> None:
        where = f"on {self.controller.fqdn}:{number}"
        # A made-up password, so that none of ours ever crosses the wire in clear text.
        made_up = secrets.token_urlsafe(12)
        answer = self._ask(number, *_ROOT, "-x", "-D", self.subject.machine.name, password=made_up)
        self.report.check(f"a password in clear text is refused {where}", answer.status == _STRONGER, answer.message)
        answer = self._ask(number, *_ROOT, "-Q", "-Y", "GSSAPI", "-O", "maxssf=0")
        self.report.check(f"Kerberos without a seal is refused {where}", answer.status == _STRONGER, answer.message)
        answer = self._ask(number, "-x", "-b", self._root, "-s", "sub", "-z", "1", "(objectClass=user)", "cn")
        refused = answer.status in _UNKNOWN and not answer.output.strip()
        self.report.check(
            f"an anonymous search is refused {where}", refused, answer.message if answer.status else "it was answered"
        )

    @property
    def _root(self) -> str:
        domain = self.subject.organization.active_directory
        assert domain is not None
        return ",".join(f"DC={label}" for label in domain.domain.split("."))

    def _ask(self, number: int, *options: str, password: str | None = None) -> ToolAnswer:
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
