"""Begins exchanges in which this host is the client: handshakes of RPC by its machine account.

Reads the machine's keytab through `kerberos`. The row of a path says which mechanism it allows; `sasl.initiators` has the
exchange for SMTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from postern.model.security import Mechanism
from postern.trust.contexts import SecurityContext
from postern.trust.host import HostCredentials
from postern.trust.kerberos import contexts as kerberos
from postern.trust.kerberos.library import AVAILABLE
from postern.trust.ntlm.contexts import NtlmInitiatorContext
from postern.trust.ntlm.handshake import NtlmInitiator


@dataclass(frozen=True, slots=True)
class Initiators:
    """The proofs of this host towards others, for its machine account (`HUB1$`): by the keytab in `host`, or by the NT hash of
    its password (b"" for none)."""

    account: str
    host: HostCredentials
    nt_hash: bytes = field(default=b"", repr=False)

    @property
    def available(self) -> frozenset[Mechanism]:
        mechanisms = {Mechanism.NTLM} if self.nt_hash else set()
        if self.host.has_realm and AVAILABLE:
            mechanisms.add(Mechanism.KERBEROS)
        return frozenset(mechanisms)

    def begin(self, mechanism: Mechanism, server: str) -> SecurityContext | None:
        """Begins a handshake with `server` (its FQDN). Returns None without a keytab or hash for this mechanism. May raise
        SecurityFailure."""
        if mechanism not in self.available:
            return None
        if mechanism is Mechanism.NTLM:
            domain = self.host.netbios or self.host.domain
            return NtlmInitiatorContext(NtlmInitiator(self.account, domain, self.nt_hash, f"host/{server}"))
        return kerberos.KerberosInitiatorContext(self.account, self.host.realm, self.host.keytab, f"host@{server}")
