"""Authenticates for a role's services: passwords and SASL, and which mechanisms this host can verify now.

Composes `judge` (passwords, guessing) and `sasl` (mechanisms) with what the host has: keytab, certificates' validator. The
guard says whether a mechanism may be used on a connection, and what a proven caller may do.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from postern.model.directory import Directory, Logons, Policy
from postern.model.security import Mechanism
from postern.trust.acceptor import Acceptor, Asking
from postern.trust.kerberos.principal import Principals
from postern.trust.membership import GroupSid, Membership
from postern.trust.passwords.judge import Judge
from postern.trust.passwords.proofs import DomainProofs
from postern.trust.sasl.gssapi import GssapiServer, usable
from postern.trust.sasl.mechanisms import Login, Ntlm, Plain
from postern.trust.sasl.scram import ScramServer

_KIND_OF = {Mechanism.NTLM: "nt", Mechanism.SCRAM: "scram-sha-256"}


class Authenticator(Judge):
    """One a process. `policy` says which verifiers users have. `realm` and `keytab` together make Kerberos possible, where the
    extra postern[kerberos] is installed.

    In Active Directory `logons` judges passwords and NTLM answers, `netbios` is the domain's short name and `servers` gives the
    SID of the servers' group: NTLM is then there without anybody enabling it."""

    def __init__(
        self,
        directory: Directory,
        policy: Policy | None = None,
        *,
        server_name: str = "postern",
        domain: str = "",
        realm: str = "",
        keytab: str = "",
        salt_key: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
        logons: Logons | None = None,
        netbios: str = "",
        servers: GroupSid | None = None,
    ) -> None:
        proofs = DomainProofs(directory, logons, netbios) if logons is not None else None
        super().__init__(directory, salt_key, clock, proofs, Membership(servers))
        self._policy = policy
        self._server_name = server_name
        self._domain = domain
        self._netbios = netbios
        self._principals = Principals(directory, realm, netbios)
        self._keytab = keytab
        always = {Mechanism.BASIC}
        if realm and keytab and usable(keytab):
            always.add(Mechanism.KERBEROS)
        if logons is not None:
            always.add(Mechanism.NTLM)
        self._always = frozenset(always)
        self.available: frozenset[Mechanism] = self._always
        """Mechanisms this host can verify now. NTLM and SCRAM join when `refresh` finds them enabled."""

    async def refresh(self) -> frozenset[Mechanism]:
        """Asks the directory which mechanisms an administrator enabled; call it at start and now and then. Raises
        DirectoryUnavailable: then `available` stays as it was."""
        if self._policy is not None:
            kinds = await self._policy.enabled_verifiers()
            self.available = self._always | {word for word, kind in _KIND_OF.items() if kind in kinds}
        return self.available

    def sasl(self, name: str, asking: Asking) -> Acceptor | None:
        """A new exchange by the mechanism with this SASL name (any case); None if it cannot be done here and now.
        A password in the clear is refused here too, whatever the guard said."""
        peer, channel = asking.peer, asking.channel
        match name.upper():
            case "PLAIN" if asking.seal is not None:
                return Plain(self, peer)
            case "LOGIN" if asking.seal is not None:
                return Login(self, peer)
            case "SCRAM-SHA-256" if Mechanism.SCRAM in self.available:
                return ScramServer(self, peer, channel)
            case "SCRAM-SHA-256-PLUS" if Mechanism.SCRAM in self.available and channel.binding:
                return ScramServer(self, peer, channel, plus=True)
            case "NTLM" if Mechanism.NTLM in self.available:
                return Ntlm(self, peer, self._server_name, self._domain, self._netbios, channel)
            case "GSSAPI" if Mechanism.KERBEROS in self.available:
                return GssapiServer(self, peer, self._principals, self._keytab, channel.binding)
        return None
