"""The guard decides for a connection, which one or more rows answer, what it may advertise and what it refuses, in which text.

Pure. Reads settled rows (`table.settle`); each protocol's service turns a Refusal's code into its own grammar.
A door such as port 25 answers for several rows at once (internet-to-hub, hub-to-hub, client-to-hub-smtp). Once the caller of a
connection has authenticated, `row_for` finds the row that the connection is on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from postern.model.security import Encryption, Identity, Mechanism, PrincipalKind, Seal
from postern.paths.row import Party, Path

CLEAR_TEXT = frozenset({Mechanism.BASIC, Mechanism.FORMS})
"""Mechanisms that send the password itself: never without a seal, whatever the row says."""

_OF_TLS = frozenset({Mechanism.CERTIFICATE, Mechanism.DIRECT_TRUST})
"""Mechanisms that prove something shown in the TLS handshake: without a handshake there is nothing to check."""
_BROKEN = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"})
"""RFC 6176, 7568, 8996. `net` never negotiates them; should a library do so, they seal nothing."""

_SERVERS = frozenset(
    {Party.HUB, Party.EDGE, Party.MAILBOX, Party.CLIENT_ACCESS, Party.UNIFIED_MESSAGING, Party.ANY_SERVER}
)


class Reason(StrEnum):
    ENCRYPTION_REQUIRED = "encryption-required"
    MECHANISM_NOT_LISTED = "mechanism-not-listed"
    AUTHENTICATION_REQUIRED = "authentication-required"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal. `text` goes to the peer as it stands; it names no path, version or reason that would help an attacker."""

    reason: Reason
    text: str


NOT_LISTED = Refusal(Reason.MECHANISM_NOT_LISTED, "Authentication mechanism is not supported here")
NOT_ENCRYPTED = Refusal(Reason.ENCRYPTION_REQUIRED, "Encryption is required before authentication")


@dataclass(frozen=True, slots=True)
class Offer:
    """The features that the greeting, EHLO or CAPABILITY may show now. `mechanisms` are those by which a caller can prove
    itself, in the rows' order; `trust.framing` has each protocol's names for them."""

    upgrade: bool
    mechanisms: tuple[Mechanism, ...]
    login_disabled: bool
    """True when a clear-text password command (IMAP LOGIN, POP USER) must be refused now."""


class Guard:
    """The guard of one door. `available` are the mechanisms that this host can verify now (no realm: no Kerberos)."""

    def __init__(self, rows: Sequence[Path], available: frozenset[Mechanism]) -> None:
        if not rows:
            raise ValueError("nothing listens or dials without a row")
        self.rows = tuple(rows)
        self.available = available

    @property
    def door(self) -> str:
        """The id of the first row. It stands in logs and metrics while it is not known which row a caller is on."""
        return self.rows[0].id

    def offer(self, seal: Seal | None, can_upgrade: bool) -> Offer:
        """The features to advertise on a connection sealed by `seal` (None: clear)."""
        mechanisms = tuple(
            dict.fromkeys(
                mechanism
                for row in self.rows
                for mechanism in row.supported_auth
                if mechanism is not Mechanism.ANONYMOUS
                and self._can_verify(row, mechanism)
                and _allows(row, mechanism, seal)
            )
        )
        upgrade = can_upgrade and seal is None and any(row.encryption is not Encryption.NEVER for row in self.rows)
        return Offer(upgrade, mechanisms, self.check_mechanism(Mechanism.BASIC, seal) is not None)

    def _can_verify(self, row: Path, mechanism: Mechanism) -> bool:
        """Whether this host can verify the mechanism. Negotiate ends in Kerberos, or in NTLM if the row lists it: one of these
        must be verifiable."""
        if mechanism is not Mechanism.NEGOTIATE:
            return mechanism in self.available
        listed = Mechanism.NTLM in row.supported_auth
        return Mechanism.KERBEROS in self.available or (listed and Mechanism.NTLM in self.available)

    def check_mechanism(self, mechanism: Mechanism, seal: Seal | None) -> Refusal | None:
        """The refusal of a caller that would prove itself by `mechanism` on a connection sealed by `seal`; None if it may."""
        listed = [row for row in self.rows if mechanism in row.supported_auth and self._can_verify(row, mechanism)]
        if not listed:
            return NOT_LISTED
        if not any(_allows(row, mechanism, seal) for row in listed):
            return NOT_ENCRYPTED
        return None

    def row_for(
        self, identity: Identity, seal: Seal | None, admits: Callable[[Path], bool] | None = None
    ) -> Path | Refusal:
        """The row that a caller with this identity is on; a refusal if no row of this door admits it. `admits` may refuse a row
        for a reason beyond the kind of caller, such as the roles of a server."""
        refusal = Refusal(Reason.AUTHENTICATION_REQUIRED, "Authentication required")
        for row in self.rows:
            if not _is_listed(row, identity.mechanism) or not _calls(row, identity.kind):
                continue
            if admits is not None and not admits(row):
                continue
            if not _allows(row, identity.mechanism, seal):
                refusal = Refusal(Reason.ENCRYPTION_REQUIRED, "Encryption is required first")
                continue
            return row
        return refusal


def _is_listed(row: Path, mechanism: Mechanism) -> bool:
    """Whether the row lists the mechanism of a caller. Negotiate has ended in Kerberos, or in NTLM if the row lists that, too."""
    if mechanism is Mechanism.KERBEROS and Mechanism.NEGOTIATE in row.supported_auth:
        return True
    return mechanism in row.supported_auth


def is_tls(seal: Seal | None) -> bool:
    """Whether a connection is sealed by a version of TLS that is not broken."""
    return seal is not None and seal.protocol.startswith("TLS") and seal.protocol not in _BROKEN


def _allows(row: Path, mechanism: Mechanism, seal: Seal | None) -> bool:
    """Whether the connection is sealed well enough for a caller who proves itself by this mechanism of the row."""
    if mechanism is Mechanism.PEER:
        return seal is not None and seal.protocol == "local"
    if mechanism in _OF_TLS:
        return is_tls(seal)
    if row.encryption is Encryption.REQUIRED or mechanism in CLEAR_TEXT:
        return seal is not None and seal.protocol not in _BROKEN
    return True


def _calls(row: Path, kind: PrincipalKind) -> bool:
    """Whether a principal of this kind can be the row's caller: a user is no hub, and a hub is no client."""
    servers = any(party in _SERVERS for party in row.caller)
    if kind is PrincipalKind.SERVER:
        return servers
    if kind is PrincipalKind.USER:
        return Party.CLIENT in row.caller or Party.ADMINISTRATOR in row.caller
    return not {Party.INTERNET, Party.GATEWAY, Party.CLIENT, Party.MONITOR}.isdisjoint(row.caller)
