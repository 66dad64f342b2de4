"""Where handshakes of RPC begin: `Acceptors` for a server, `Initiators` for a client, each for one host of the organization.

Reads the directory for who may log on, asks `proofs` whether an NTLM answer is right, and reads keytabs through `kerberos`.
Which mechanism a path allows is its row's word, not said here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from postern.model.directory import Account, Directory, NtlmLogon
from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.protocols.dcerpc.protection import AuthType
from postern.trust.contexts import NtlmAcceptorContext, NtlmInitiatorContext, SecurityContext
from postern.trust.kerberos import contexts as kerberos
from postern.trust.membership import Membership
from postern.trust.ntlm.handshake import NtlmAcceptor, NtlmInitiator, Proof, account_name, matches
from postern.trust.passwords.backoff import network
from postern.trust.passwords.pool import Pool
from postern.trust.passwords.proofs import Proofs, Verifiers
from postern.trust.reauthorization import Reauthorization
from postern.trust.spnego import SpnegoAcceptor


class Acceptors:
    """The server's side of every mechanism that can be verified here.

    `server_name` is this host's name, `domain` the organization's DNS domain, `keytab` a file's path ("" where there is no
    realm) and `realm` the only realm whose principals are anyone here. Only servers' accounts can log on: users' guesses
    would need the back-off that `Authenticator` has. In Active Directory `proofs` is the domain's, `membership` knows the
    servers' group, and `netbios` is the domain's short name; else the directory's verifiers and its own word count.
    `reauthorization` is the process's, where it has one: whoever logged on twice is asked about once.
    """

    def __init__(
        self,
        server_name: str,
        domain: str,
        directory: Directory,
        realm: str = "",
        keytab: str = "",
        proofs: Proofs | None = None,
        membership: Membership | None = None,
        netbios: str = "",
        reauthorization: Reauthorization | None = None,
    ) -> None:
        self._proofs: Proofs = proofs or Verifiers(directory, Pool("argon2"))
        self._membership = membership or Membership()
        self._netbios = netbios
        self._server_name = server_name
        self._domain = domain
        self._directory = directory
        self._realm = realm
        self._keytab = keytab
        self.reauthorization = reauthorization or Reauthorization(directory)
        found = {Mechanism.NTLM}
        if realm and keytab and kerberos.AVAILABLE:
            found.add(Mechanism.KERBEROS)
        self.available = frozenset(found)

    def close(self) -> None:
        """Ends the watch over those who are logged on, a shared one too: it is called when the process stops."""
        self.reauthorization.close()

    def begin(self, auth_type: int, host: str = "") -> SecurityContext | None:
        """A new handshake with who calls from `host`; None for a mechanism that cannot be verified here."""
        if auth_type == AuthType.NTLM:
            return self._ntlm(host)
        if auth_type == AuthType.KERBEROS and Mechanism.KERBEROS in self.available:
            return kerberos.KerberosAcceptorContext(self._keytab, self._realm)
        if auth_type == AuthType.SPNEGO:
            return SpnegoAcceptor(partial(self.begin, host=host))
        return None

    async def identity(self, context: SecurityContext) -> Identity | None:
        """The identity of a complete context's name; None if there is no such enabled server account (any more). Raises
        DirectoryUnavailable."""
        account = await self._directory.account(context.name)
        if account is None or not account.enabled:
            return None
        identity = await self._membership.identity(account, context.mechanism, context.groups)
        return identity if identity.kind is PrincipalKind.SERVER else None

    def _ntlm(self, host: str) -> NtlmAcceptorContext:
        who = self._server_name, self._domain, self._prove
        return NtlmAcceptorContext(NtlmAcceptor(*who, netbios=self._netbios, address=network(host)))

    async def _prove(self, logon: NtlmLogon) -> Proof | None:
        """Nobody guesses users' passwords here: only a machine's, which is random, is judged at all."""
        account = await self._directory.account(account_name(logon))
        if account is None or not _may_be_server(account):
            return matches(None, logon)
        return await self._proofs.ntlm(account, logon)


def _may_be_server(account: Account) -> bool:
    return account.is_server or account.name.endswith("$")


@dataclass(frozen=True, slots=True)
class Initiators:
    """How this host proves itself to others: its machine account (`HUB1$`), the NT hash of its password (b"" for none), and
    a keytab with its keys ("" for none)."""

    account: str
    domain: str
    nt_hash: bytes = field(default=b"", repr=False)
    realm: str = ""
    keytab: str = ""

    @property
    def available(self) -> frozenset[Mechanism]:
        found = {Mechanism.NTLM} if self.nt_hash else set()
        if self.realm and self.keytab and kerberos.AVAILABLE:
            found.add(Mechanism.KERBEROS)
        return frozenset(found)

    def begin(self, mechanism: Mechanism, host: str) -> SecurityContext | None:
        """A new handshake with the server whose name is `host` (its FQDN); None if we have nothing to prove it with.
        May raise SecurityFailure."""
        if mechanism not in self.available:
            return None
        if mechanism is Mechanism.NTLM:
            return NtlmInitiatorContext(NtlmInitiator(self.account, self.domain, self.nt_hash, f"host/{host}"))
        return kerberos.KerberosInitiatorContext(self.account, self.realm, self.keytab, f"host@{host}")
