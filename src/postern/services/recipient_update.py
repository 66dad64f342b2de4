"""rus-rpc on a mailbox server: others ask its attendant to update recipients now, or whether it works; and how one asks.

`directory.recipient_update` computes the addresses; the `attendant` decides which server runs the update.
"""

from __future__ import annotations

from collections.abc import Sequence

from postern.directory.recipient_update import Done
from postern.model.directory import DirectoryUnavailable
from postern.paths.row import Path
from postern.protocols.dcerpc.recipient_update import DONE, RECIPIENT_UPDATE, RESTS, UNAVAILABLE
from postern.services.attendant import Attendant
from postern.services.rpc_client import RpcClient, RpcError
from postern.services.rpc_server import Caller, Procedure

MOST = 1000
"""Recipients that one call names; more are "all"."""
LONGEST = 3600.0
"""Seconds that a caller waits for all recipients of a large organization."""


class NobodyUpdates(Exception):
    """No mailbox server's attendant did what was asked; the text says why."""


class RecipientUpdateService:
    """RECIPIENT_UPDATE on `row`."""

    syntax = RECIPIENT_UPDATE.syntax

    def __init__(self, row: Path, attendant: Attendant) -> None:
        self.row = row
        self._attendant = attendant
        self._operations = RECIPIENT_UPDATE.operations

    def procedure(self, opnum: int) -> Procedure | None:
        return {0: self._update, 1: self._standing}.get(opnum)

    async def _update(self, stub: bytes | memoryview, caller: Caller) -> bytearray:
        (text,) = self._operations[0].request.decode(stub)
        recipients = list(dict.fromkeys(filter(None, text.split("\n"))))
        reply = self._operations[0].reply
        try:
            done = await self._attendant.update(recipients if len(recipients) <= MOST else ())
        except DirectoryUnavailable:
            return reply.encode((0, 0, "", UNAVAILABLE))
        if done is None:
            return reply.encode((0, 0, "", RESTS))
        return reply.encode((done.seen, done.changed, "\n".join(done.failed), DONE))

    async def _standing(self, stub: bytes | memoryview, caller: Caller) -> bytearray:
        self._operations[1].request.decode(stub)
        total = self._attendant.total
        return self._operations[1].reply.encode((int(self._attendant.works), total.seen, total.changed, DONE))


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
