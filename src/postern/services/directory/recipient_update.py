"""rus-rpc on a mailbox server: others ask its attendant to update recipients now, or whether it works; and how one asks.

`directory.ad.recipient_update` computes the addresses; the `attendant` decides which server runs the update.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from postern.directory.ad.recipient_update import Done
from postern.model.directory import DirectoryUnavailable
from postern.paths.row import Path
from postern.protocols.dcerpc.interfaces.recipient_update import DONE, RECIPIENT_UPDATE, RESTS, UNAVAILABLE
from postern.services.directory.attendant import Attendant
from postern.services.rpc.client import RpcClient, RpcError
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.server import Caller

MOST = 1000
"""Recipients that one call names; more are "all"."""
LONGEST = 3600.0
"""Seconds that a caller waits for all recipients of a large organization."""


class NobodyUpdates(Exception):
    """No mailbox server's attendant did what was asked; the text says why."""


class RecipientUpdateService(InterfaceService):
    """RECIPIENT_UPDATE on `row`."""

    def __init__(self, row: Path, attendant: Attendant) -> None:
        super().__init__(RECIPIENT_UPDATE, row, {"update": self._update, "standing": self._standing})
        self._attendant = attendant

    async def _update(self, caller: Caller, text: str) -> Sequence[Any]:
        recipients = list(dict.fromkeys(filter(None, text.split("\n"))))
        try:
            done = await self._attendant.update(recipients if len(recipients) <= MOST else ())
        except DirectoryUnavailable:
            return 0, 0, "", UNAVAILABLE
        if done is None:
            return 0, 0, "", RESTS
        return done.seen, done.changed, "\n".join(done.failed), DONE

    async def _standing(self, caller: Caller) -> Sequence[Any]:
        total = self._attendant.total
        return int(self._attendant.works), total.seen, total.changed, DONE


async def ask(clients: Sequence[RpcClient], recipients: Sequence[str] = ()) -> tuple[str, Done]:
    """Asks the attendants in their order until one works; gives its server's name. Raises NobodyUpdates."""
    told = []
    for client in clients:
        try:
            seen, changed, failed, status = await client.call("update", ("\n".join(recipients),), timeout=LONGEST)
        except RpcError as error:
            told.append(f"{client.target.fqdn}: {error}")
            continue
        if status == DONE:
            return client.target.fqdn, Done(seen, changed, tuple(filter(None, failed.split("\n"))))
        told.append(f"{client.target.fqdn}: " + ("rests" if status == RESTS else "Active Directory does not answer"))
    raise NobodyUpdates("; ".join(told) or "the organization has no mailbox server")
