"""A mailbox server as another server reaches it, for the services that tell whom they spoke with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from postern.model.mailbox import Mailboxes
from postern.services.mailbox.client import MailboxClient


class Proof(NamedTuple):
    """How the last connection to a server was proven and sealed, in the words of message tracking."""

    mechanism: str = ""
    cipher: str = ""


class MailboxPeer(NamedTuple):
    """One mailbox server and its mailboxes, on the row whose id is `path`. `proof` is asked after a call."""

    server: str
    fqdn: str
    path: str
    mailboxes: Mailboxes
    proof: Callable[[], Proof] = Proof


def peer_of(server: str, client: MailboxClient) -> MailboxPeer:
    """The server of this name, which `client` calls."""
    rpc = client.rpc

    def proof() -> Proof:
        return Proof(rpc.mechanism, rpc.seal.cipher if rpc.seal is not None else "")

    return MailboxPeer(server, rpc.target.fqdn, rpc.target.row.id, client, proof)


FindPeer = Callable[[str], MailboxPeer | None]
"""Finds a mailbox server by the name of a database, or by its own; None for what is unknown here."""
