"""The guard: for a connection that one or more rows answer, what may be advertised now, what is refused, and in which words.

Pure. Reads settled rows (`table.settle`); each protocol's service turns a Refusal's code into its own grammar.
A door such as port 25 answers for several rows at once (internet-to-hub, hub-to-hub, client-to-hub-smtp); which of them a
connection is on is known only once its caller has proven who it is: `row_for`.
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
"""What they prove was shown in the TLS handshake: without one there is nothing to look at."""
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
    """`text` is said to the peer as it stands; it names no path, version or reason that would help an attacker."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What the greeting, EHLO or CAPABILITY may show now. `mechanisms` are those by which a caller can prove
    itself, in the rows' order; `trust.framing` has each protocol's names for them."""

    upgrade: bool
    mechanisms: tuple[Mechanism, ...]
    login_disabled: bool
    """True when a clear-text password command (IMAP LOGIN, POP USER) must be refused now."""


class Guard:
    """Speaks for the rows of one door. `available` are mechanisms this host can verify now (no realm: no Kerberos)."""

    def __init__(self, rows: Sequence[Path], available: frozenset[Mechanism]) -> None:
        if not rows:
            raise ValueError("nothing listens or dials without a row")
        self.rows = tuple(rows)
        self.available = available

    def offer(self, seal: Seal | None, can_upgrade: bool) -> Offer:
        """What to advertise on a connection sealed by `seal` (None: clear)."""
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
        """Negotiate can be verified where a mechanism can that it may come to on this row: Kerberos, and NTLM if it is listed."""
        if mechanism is not Mechanism.NEGOTIATE:
            return mechanism in self.available
        listed = Mechanism.NTLM in row.supported_auth
        return Mechanism.KERBEROS in self.available or (listed and Mechanism.NTLM in self.available)

    def check_mechanism(self, mechanism: Mechanism, seal: Seal | None) -> Refusal | None:
        """May a caller prove itself by `mechanism` on a connection sealed by `seal`?"""
        listed = [row for row in self.rows if mechanism in row.supported_auth and self._can_verify(row, mechanism)]
        if not listed:
            return Refusal(Reason.MECHANISM_NOT_LISTED, "Authentication mechanism is not supported here")
        if not any(_allows(row, mechanism, seal) for row in listed):
            return Refusal(Reason.ENCRYPTION_REQUIRED, "Encryption is required before authentication")
        return None

    def row_for(
        self, identity: Identity, seal: Seal | None, admits: Callable[[Path], bool] | None = None
    ) -> Path | Refusal:
        """The row that a caller with this identity is on; a refusal if no row of this door admits it. `admits` knows more of
        the caller than its kind: which roles a server has."""
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
    """Whether the row lists what a caller proved itself by. Negotiate came to Kerberos, or to NTLM where the row lists that
    beside it."""
    if mechanism is Mechanism.KERBEROS and Mechanism.NEGOTIATE in row.supported_auth:
        return True
    return mechanism in row.supported_auth


def is_tls(seal: Seal | None) -> bool:
    """Whether a connection is sealed by a version of TLS that is not broken."""
    return seal is not None and seal.protocol.startswith("TLS") and seal.protocol not in _BROKEN


def _allows(row: Path, mechanism: Mechanism, seal: Seal | None) -> bool:
    """Whether what seals the connection is enough for a caller who proves itself by a mechanism that the row lists."""
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
