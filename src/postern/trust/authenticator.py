"""Authenticates users and servers for the services of one process, by one set of mechanisms.

Composes `judge` (passwords, guessing) with the host's names and keys, and with the domain's logons. `framing` carries its
exchanges over SASL, RPC and HTTP. The guard says whether a mechanism may be used on a connection, and what a proven caller
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

_KIND_OF = {Mechanism.NTLM: "nt", Mechanism.SCRAM: "scram-sha-256", Mechanism.DIGEST: "digest"}


@dataclass(frozen=True, slots=True)
class DomainLogons:
    """Logons as Active Directory judges them. `proofs` judges passwords and NTLM answers; `servers` gives the SID of the servers'
    group (None where only the directory says which accounts are servers)."""

    proofs: DomainProofs
    servers: GroupSid | None = None


class Authenticator(Judge):
    """The authenticator of a process. `policy` says which verifiers users have (None: passwords only). With the realm and keytab
    of `host`, and the extra postern[kerberos], there is Kerberos. In Active Directory `domain` judges, and NTLM need not be
    enabled. `salt_key` and `clock` are passed to the judge. `by_certificate`: doors of the process ask users for certificates."""

    def __init__(
        self,
        directory: Directory,
        host: HostCredentials | None = None,
        policy: DirectoryPolicy | None = None,
        domain: DomainLogons | None = None,
        salt_key: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
        by_certificate: bool = False,
    ) -> None:
        self._host = host or HostCredentials()
        proofs, servers = (domain.proofs, domain.servers) if domain is not None else (None, None)
        super().__init__(directory, salt_key, clock, proofs, Membership(servers))
        self._policy = policy
        self._principals = Principals(directory, self._host.realm, self._host.netbios)
        has_realm = self._host.has_realm
        always = {Mechanism.BASIC}
        if has_realm and kerberos.usable(self._host.keytab):
            always.add(Mechanism.KERBEROS)
        if domain is not None:
            always.add(Mechanism.NTLM)
        if by_certificate:
            always.add(Mechanism.CERTIFICATE)
        self._always = frozenset(always)
        self._of_servers = frozenset({Mechanism.NTLM, *({Mechanism.KERBEROS} if has_realm and AVAILABLE else ())})
        self.available: frozenset[Mechanism] = self._always
        """Mechanisms by which users can be verified now. NTLM, SCRAM and Digest join when `refresh` finds them enabled."""

    async def refresh(self) -> frozenset[Mechanism]:
        """Asks the directory which mechanisms an administrator enabled. Services call it at start and now and then. Raises
        DirectoryUnavailable; `available` then stays as it was."""
        if self._policy is not None:
            kinds = await self._policy.enabled_verifiers()
            self.available = self._always | {mechanism for mechanism, kind in _KIND_OF.items() if kind in kinds}
        return self.available

    def available_to(self, callers: frozenset[PrincipalKind]) -> frozenset[Mechanism]:
        """Returns the mechanisms by which at least one of these kinds of accounts can be verified now. A server's machine account
        always has the hash that NTLM needs."""
        of_users = self.available if PrincipalKind.USER in callers else frozenset()
        return of_users | (self._of_servers if PrincipalKind.SERVER in callers else frozenset())

    def begin(self, mechanism: Mechanism, asking: Asking) -> ContextExchange | None:
        """Begins an exchange by NTLM, Kerberos or Negotiate. Returns None for a mechanism that cannot be verified here and
        now."""
        proving = self._proving(mechanism, asking)
        return ContextExchange(self, asking, proving) if proving is not None else None

    def by_kerberos(self, asking: Asking) -> ByKerberos | None:
        """Begins a handshake by Kerberos, for callers that do more with its context than `begin` does."""
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
