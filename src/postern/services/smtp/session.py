"""A receive connector's knowledge of an SMTP client, as values: `Session` lasts as long as the connection, `Transaction` from
one MAIL to the next.

They are immutable. `login` and `receive` make a new Session where a greeting, TLS or AUTH has told more; agents, refusals and
trace lines read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from postern.model.security import NOBODY, Identity, Peer, PrincipalKind, Seal
from postern.paths.guard import Offer, Refusal
from postern.paths.row import Path
from postern.transport.submission import Submitter

_MAY_RELAY = (PrincipalKind.USER, PrincipalKind.SERVER)


@dataclass(frozen=True, slots=True)
class Session:
    """The client of one connection. `row` is the data path that it is on, or the refusal that it hears at MAIL while no row
    admits it. `offer` is what the guard let the last greeting show, `door` the id of the door's first row. `helo` is what the
    client called itself ("" before it did), by EHLO if `extended`. `submitter` is set for users alone."""

    peer: Peer
    seal: Seal | None
    row: Path | Refusal
    offer: Offer
    door: str
    helo: str = ""
    extended: bool = False
    identity: Identity = NOBODY
    submitter: Submitter | None = None

    @property
    def path(self) -> str:
        """The id of the row that the client is on; "" while no row admits it."""
        return self.row.id if isinstance(self.row, Path) else ""

    @property
    def logged_path(self) -> str:
        """The id of the row under which log lines name the client: its own, or the door's first."""
        return self.row.id if isinstance(self.row, Path) else self.door

    @property
    def may_relay(self) -> bool:
        """Whether a user or server of ours has vouched for the sender. An edge vouches for nobody: it brings strangers' mail."""
        return self.identity.kind in _MAY_RELAY and isinstance(self.row, Path) and not self.row.strangers


class Transaction(NamedTuple):
    """One mail transaction. `size` are the octets that MAIL announced (RFC 1870), 0 if it announced none. `submitter` is that of
    the session, with the right to send on behalf of the sender that MAIL named. `is_tight`: a recipient's mailbox may have no
    room for more than `size`."""

    sender: str = ""
    size: int = 0
    submitter: Submitter | None = None
    is_tight: bool = False
