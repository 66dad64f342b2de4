"""The server's side of every way to prove oneself, for the services of one process: users and servers, by one set of mechanisms.

Composes `judge` (passwords, guessing) with what the host has: its names and keys, and the domain's logons. `framing` carries
its exchanges over SASL, RPC and HTTP. The guard says whether a mechanism may be used on a connection, and what a proven caller
may do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from postern.model.directory import Directory, DirectoryPolicy
from postern.model.security import Mechanism, PrincipalKind
from postern.trust.acceptor import SERVERS, Asking
from postern.trust.exchanges import ByKerberos, ByNegotiate, ByNtlm, ContextExchange, Proving
from postern.trust.host import HostCredentials
from postern.trust.kerberos import contexts as kerberos
from postern.trust.kerberos.library import AVAILABLE
from postern.trust.kerberos.principal import Principals
from postern.trust.membership import GroupSid, Membership
from postern.trust.passwords.judge import Judge
from postern.trust.passwords.proofs import DomainProofs

_KIND_OF = {Mechanism.NTLM: "nt", Mechanism.SCRAM: "scram-sha-256"}


@dataclass(frozen=True, slots=True)
class DomainLogons:
    """Who judges in Active Directory: `proofs` judges passwords and NTLM answers, and `servers` gives the SID of the servers'
    group (None where only the directory's own word says who is a server)."""

    proofs: DomainProofs
    servers: GroupSid | None = None


class Authenticator(Judge):
    """One a process. `policy` says which verifiers users have (None: passwords only). `host`'s realm and keytab make Kerberos
    possible, where the extra postern[kerberos] is installed. In Active Directory `domain` judges: NTLM is then there without
    anybody enabling it. `salt_key` and `clock` are the judge's."""

    def __init__(
        self,
        directory: Directory,
        host: HostCredentials | None = None,
        policy: DirectoryPolicy | None = None,
        domain: DomainLogons | None = None,
        salt_key: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host or HostCredentials()
        proofs, servers = (domain.proofs, domain.servers) if domain is not None else (None, None)
        super().__init__(directory, salt_key, clock, proofs, Membership(servers))
        self._policy = policy
        self._principals = Principals(directory, self._host.realm, self._host.netbios)
        has_realm = bool(self._host.realm and self._host.keytab)
        always = {Mechanism.BASIC}
        if has_realm and kerberos.usable(self._host.keytab):
            always.add(Mechanism.KERBEROS)
        if domain is not None:
            always.add(Mechanism.NTLM)
        self._always = frozenset(always)
        self._of_servers = frozenset({Mechanism.NTLM, *({Mechanism.KERBEROS} if has_realm and AVAILABLE else ())})
        self.available: frozenset[Mechanism] = self._always
        """Mechanisms by which users can be verified now. NTLM and SCRAM join when `refresh` finds them enabled."""

    async def refresh(self) -> frozenset[Mechanism]:
        """Asks the directory which mechanisms an administrator enabled; call it at start and now and then. Raises
        DirectoryUnavailable: then `available` stays as it was."""
        if self._policy is not None:
            kinds = await self._policy.enabled_verifiers()
            self.available = self._always | {word for word, kind in _KIND_OF.items() if kind in kinds}
        return self.available

    def available_to(self, callers: frozenset[PrincipalKind]) -> frozenset[Mechanism]:
        """Mechanisms by which one of these kinds of accounts at least can be verified now. A server's machine account always
        has what NTLM needs."""
        of_users = self.available if PrincipalKind.USER in callers else frozenset()
        return of_users | (self._of_servers if PrincipalKind.SERVER in callers else frozenset())

    def begin(self, mechanism: Mechanism, asking: Asking) -> ContextExchange | None:
        """A new exchange by NTLM, Kerberos or Negotiate; None for a mechanism that cannot be verified here and now."""
        proving = self._proving(mechanism, asking)
        return ContextExchange(self, asking, proving) if proving is not None else None

    def by_kerberos(self, asking: Asking) -> ByKerberos | None:
        """A new handshake by Kerberos, for who does more with its context than `begin` does."""
        if Mechanism.KERBEROS not in self.available_to(asking.callers):
            return None
        return ByKerberos(self, self._principals, self._host, asking)

    def _proving(self, mechanism: Mechanism, asking: Asking) -> Proving | None:
        if mechanism is Mechanism.NEGOTIATE:
            return ByNegotiate(lambda inner: self._proving(inner, asking) if inner in asking.negotiable else None)
        if mechanism is Mechanism.KERBEROS:
            return self.by_kerberos(asking)
        if mechanism is not Mechanism.NTLM or mechanism not in self.available_to(asking.callers):
            return None
        if mechanism not in self.available:
            asking = replace(asking, callers=SERVERS)
        return ByNtlm(self, self._host, asking)
