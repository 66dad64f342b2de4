"""Answers of the directory as values, which name Active Directory's attributes where it has them, and the interfaces that the
adapters of directories implement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Literal, Protocol
from uuid import UUID

from postern.model.domains import fold
from postern.model.organization import AcceptedDomain, Role

PROBE = "postern-probe"
"""Name of the mailbox that `postern verify` logs on to, in the default domain: `run` creates it, and nobody else may have it."""
CLOSED_PROBE = "postern-probe-closed"
"""Name of an account that may not log on, by which `postern verify` tries that; `run` creates it where clients show
certificates."""


class RecipientType(StrEnum):
    USER = "user"
    GROUP = "group"
    CONTACT = "contact"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A mail-enabled entry. Addresses are lower case, without the "smtp:" prefix of proxyAddresses.

    `guid` is objectGUID; `target` is targetAddress (a contact's outside address); `forward_to` is altRecipient as an
    address, `deliver_and_forward` is deliverAndRedirect; `members` are the group's members' primary addresses;
    `delegates` are the primary addresses of those who may send on behalf of the recipient (publicDelegates);
    `database` names the mailbox database, "" for a recipient without a mailbox; `max_receive` and `max_send` are bytes (0: the
    organization's limit).
    """

    guid: UUID
    type: RecipientType
    display_name: str
    primary: str
    addresses: tuple[str, ...]
    database: str = ""
    target: str = ""
    forward_to: str = ""
    deliver_and_forward: bool = False
    members: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()
    max_receive: int = 0
    max_send: int = 0
    quota: int = 0
    accept_from_authenticated_only: bool = False

    @property
    def folded_addresses(self) -> frozenset[str]:
        """All addresses, the primary one among them, as `model.domains.fold` makes them comparable."""
        return frozenset(map(fold, (self.primary, *self.addresses)))


@dataclass(frozen=True, slots=True)
class Account:
    """An account that may log on. `name` is userPrincipalName (or sAMAccountName of a server); `change` is a value that
    differs after any change of the account (entryCSN, uSNChanged): then whatever was cached about the account is void."""

    guid: UUID
    name: str
    enabled: bool
    is_server: bool
    change: str
    recipient: str = ""
    """Primary address of the mailbox, "" if there is none."""
    send_as: tuple[str, ...] = ()
    """Addresses this account may use as sender besides its mailbox's own."""
    credentials: str = field(default="", repr=False)
    """A value that differs after the password was set, and after no other change; compared within one process only."""
    locked: bool = False
    """True if the account is not enabled only because the domain locked it after wrong guesses: its sessions go on."""
    password_ends: float | None = field(default=None, compare=False)
    """The end of the password, in seconds since 1970. None: it has none, or the directory does not know."""


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """The parts of a user's certificate that name its owner. `identities` are the values of altSecurityIdentities that stand for
    this certificate or its key (`X509:<I>...<SR>...`), `principal` is the user principal name in it, `sid` the account's SID in
    it ("S-1-5-21-..."); "" for none."""

    identities: tuple[str, ...]
    principal: str = ""
    sid: str = ""


class Unknown(Enum):
    """The reply of a cache that has no answer: neither "there is such a recipient" nor "there is none"."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN


class DirectoryUnavailable(Exception):
    """No answer now; the caller says 4xx, [UNAVAILABLE] or tries again. Never the same as "there is no such entry"."""


class IncompleteAnswer(DirectoryUnavailable):
    """The directory answered only for a part of what it was asked about: an entry that is missing from the answer may exist.
    `str` of the error gives the reason, for an administrator."""


class MailboxOwners(Protocol):
    """Knows the owners of mailboxes in the whole organization, over as many domains as it has."""

    async def mailbox_owners(self, guids: Sequence[UUID]) -> dict[UUID, str]:
        """Those of these objectGUIDs that have a mailbox, each with its primary address. Complete: raises DirectoryUnavailable
        (IncompleteAnswer) rather than leave somebody out. Never answered from a cache."""
        ...


MAX_GROUPS = 1_000
"""Groups of one user that are looked at; Windows puts no more into a token (MS-KILE leaves 1,015 of them)."""


class Groups(Protocol):
    """Knows the groups that an entry is in."""

    async def groups_of(self, guid: UUID) -> tuple[UUID, ...]:
        """The objectGUIDs of the groups that the entry is a member of, directly first, then by other groups: MAX_GROUPS at
        most. () for an entry that is not there. Never answered from a cache. Raises DirectoryUnavailable."""
        ...


class Directory(Protocol):
    """Read access as roles need it. Every method raises DirectoryUnavailable when no server answers."""

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        """Recipients by any of their proxy addresses; an address that nobody has is missing from the answer."""
        ...

    async def recipient(self, address: str) -> Recipient | None: ...

    def cached_recipient(self, address: str) -> Recipient | Literal[Unknown.UNKNOWN] | None:
        """The answer of `recipient(address)` if the adapter's bounded cache of positive and negative answers still holds it,
        else UNKNOWN. Never waits, never raises: RCPT TO of a cached address costs no task. The address is compared as
        `recipient` compares it (lower case). An adapter without a cache always answers UNKNOWN."""
        ...

    async def account(self, name: str) -> Account | None:
        """The account of this userPrincipalName, primary address, sAMAccountName or DOMAIN\\name. Never answered from a cache."""
        ...

    async def account_of_certificate(self, names: CertificateNames) -> Account | None:
        """The one account that the directory gives this certificate to: by altSecurityIdentities, else by what the certificate
        says, as far as this directory believes it. None if there are several. Never answered from a cache."""
        ...

    async def accounts_by_guid(self, guids: Sequence[UUID]) -> dict[UUID, Account]:
        """Accounts by objectGUID, whatever their names are now; an account that no longer exists is missing. Never answered from
        a cache."""
        ...

    async def verifier(self, account: Account, kind: str) -> str | None:
        """A secret attribute, `kind` one of "argon2id", "nt", "scram-sha-256", "digest"; None if the account has none."""
        ...


class DirectoryPolicy(Protocol):
    """Settings that an administrator keeps in the directory besides postern.toml. Raises DirectoryUnavailable."""

    async def enabled_verifiers(self) -> frozenset[str]:
        """The kinds of verifier, among "nt", "scram-sha-256" and "digest", that are kept of users' passwords besides argon2id."""
        ...

    async def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        """Domains beyond those of postern.toml."""
        ...


@dataclass(frozen=True, slots=True)
class DomainController:
    """One controller as the topology service knows it. `latency` is the seconds that the last CLDAP ping took."""

    fqdn: str
    address: str
    site: str
    in_site: bool
    """True if the controller is in the site of the server that asks."""
    global_catalogue: bool
    up: bool = True
    latency: float = 0.0


class Locator(Protocol):
    """Names the domain controllers to ask."""

    async def controllers(self) -> Sequence[DomainController]:
        """Best first: up before down, own site before others, quick before slow. () if none is known."""
        ...

    def failed(self, controller: DomainController) -> None:
        """The caller could not use it just now: it goes to the end until it answers a ping again."""
        ...


@dataclass(frozen=True, slots=True)
class NtlmLogon:
    """A user's answer to an NTLM challenge (MS-NLMP), to be judged by a domain controller (MS-NRPC 3.5.4.5.1). `address` is the
    network that it came from, under which it waits for its turn; the controller does not hear of it."""

    domain: str
    user: str
    workstation: str
    challenge: bytes
    nt_response: bytes
    lm_response: bytes
    address: str = ""


@dataclass(frozen=True, slots=True)
class NtlmVerdict:
    """`session_base_key` is b"" where `status` (an NTSTATUS) is not 0. `name` is the account's sAMAccountName."""

    status: int
    name: str = ""
    session_base_key: bytes = b""
    groups: frozenset[str] = frozenset()
    """SIDs ("S-1-5-21-...")."""


class Logons(Protocol):
    """Judges logons where the directory, like Active Directory, hands out no verifiers. Raises DirectoryUnavailable if nobody can
    judge them now."""

    async def password(self, account: Account, password: str, address: str) -> bool:
        """Whether this is the account's password. `address` is the network address that the guess came from: guesses of one
        account take turns between addresses."""
        ...

    async def ntlm(self, logon: NtlmLogon) -> NtlmVerdict: ...


@dataclass(frozen=True, slots=True)
class RecipientsUpdated:
    """The result of a recipient update: how many recipients it looked at and changed, and the names of those that it could
    not change."""

    seen: int = 0
    changed: int = 0
    failed: tuple[str, ...] = ()

    def __add__(self, other: RecipientsUpdated) -> RecipientsUpdated:
        return RecipientsUpdated(
            self.seen + other.seen, self.changed + other.changed, (*self.failed, *other.failed)[:1000]
        )


@dataclass(frozen=True, slots=True)
class TrustedCertificate:
    """Direct trust: a server of ours and the certificate that the directory has for it (DER)."""

    server: str
    fqdn: str
    role: Role
    der: bytes


class Certificates(Protocol):
    """The directory as direct trust reads it."""

    async def trusted_certificates(self) -> tuple[TrustedCertificate, ...]:
        """Certificates of hubs (as an edge sees them) or of edges (as a hub sees them). Raises DirectoryUnavailable."""
        ...
