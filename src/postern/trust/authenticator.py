"""Authenticates for a role's services: passwords and SASL, and which mechanisms this host can verify now.

Composes `judge` (passwords, guessing) and `sasl` (mechanisms) with what the host has: keytab, certificates' validator. The
guard says whether a mechanism may be used on a connection, and what a proven caller may do.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from postern.model.directory import Directory, DirectoryPolicy
from postern.model.security import NO_CHANNEL, Channel, Mechanism, Peer, Seal
from postern.trust.kerberos.principal import Principals
from postern.trust.membership import GroupSid, Membership
from postern.trust.passwords.judge import Judge
from postern.trust.passwords.proofs import Proofs
from postern.trust.sasl.gssapi import GssapiServer, usable
from postern.trust.sasl.mechanisms import External, Login, Ntlm, Plain, SaslServer, Validator
from postern.trust.sasl.scram import ScramServer

_KIND_OF = {Mechanism.NTLM: "nt", Mechanism.SCRAM: "scram-sha-256"}


class Authenticator(Judge):
    """One a process. `policy` says which verifiers users have. `external` says whose a certificate is, for the mechanisms
    `external_as`. `realm` and `keytab` together make Kerberos possible, where the extra postern[kerberos] is installed.

    In Active Directory `proofs` judges passwords and NTLM answers, `netbios` is the domain's short name and `servers` gives the
    SID of the servers' group: NTLM is then there without anybody enabling it."""

    def __init__(
        self,
        directory: Directory,
        policy: DirectoryPolicy | None = None,
        *,
        server_name: str = "postern",
        domain: str = "",
        realm: str = "",
        keytab: str = "",
        external: Validator | None = None,
        external_as: frozenset[Mechanism] = frozenset(),
        salt_key: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
        proofs: Proofs | None = None,
        netbios: str = "",
        servers: GroupSid | None = None,
    ) -> None:
        super().__init__(directory, salt_key, clock, proofs, Membership(servers))
        self._policy = policy
        self._server_name = server_name
        self._domain = domain
        self._netbios = netbios
        self._principals = Principals(directory, realm, netbios)
        self._keytab = keytab
        self._external = external
        always = {Mechanism.BASIC}
        if realm and keytab and usable(keytab):
            always.add(Mechanism.KERBEROS)
        if proofs is not None:
            always.add(Mechanism.NTLM)
        if external is not None:
            always |= external_as
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

    def sasl(
        self, name: str, peer: Peer, seal: Seal | None, certificate: bytes | None, channel: Channel = NO_CHANNEL
    ) -> SaslServer | None:
        """A new exchange by the mechanism with this SASL name (any case); None if it cannot be done here and now.
        A password in the clear is refused here too, whatever the guard said."""
        match name.upper():
            case "PLAIN" if seal is not None:
                return Plain(self, peer)
            case "LOGIN" if seal is not None:
                return Login(self, peer)
            case "SCRAM-SHA-256" if Mechanism.SCRAM in self.available:
                return ScramServer(self, peer, channel)
            case "SCRAM-SHA-256-PLUS" if Mechanism.SCRAM in self.available and channel.binding:
                return ScramServer(self, peer, channel, plus=True)
            case "NTLM" if Mechanism.NTLM in self.available:
                return Ntlm(self, peer, self._server_name, self._domain, self._netbios, channel)
            case "GSSAPI" if Mechanism.KERBEROS in self.available:
                return GssapiServer(self, peer, self._principals, self._keytab, channel.binding)
            case "EXTERNAL" if self._external is not None and certificate:
                return External(self._external, peer, certificate)
        return None
