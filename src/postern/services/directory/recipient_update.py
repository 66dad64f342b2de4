"""The service and the client of rus-rpc: others ask a mailbox server's attendant to update recipients now, or whether it works.

`directory.ad.recipient_update` computes the addresses; the `attendant` decides which server runs the update.
"""

from __future__ import annotations

from collections.abc import Sequence

from postern.model.directory import DirectoryUnavailable, RecipientsUpdated
from postern.paths.row import Path
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE, RecipientUpdating
from postern.services.directory.attendant import Attendant
from postern.services.rpc.client import RpcClient, RpcError
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.stub import stub

MOST = 1000
"""Recipients that one call may name; for more, all are updated."""


class NobodyUpdates(Exception):
    """No mailbox server's attendant did what was asked; the text says why."""


class RecipientUpdateService(InterfaceService[RecipientUpdating]):
    """Serves RECIPIENT_UPDATE on `row`."""

    def __init__(self, row: Path, attendant: Attendant) -> None:
        self._attendant = attendant
        super().__init__(RECIPIENT_UPDATE, row, self)

    async def update(self, recipients: Sequence[str]) -> RecipientsUpdated | None:
        return await self._attendant.update(recipients if len(recipients) <= MOST else ())

    async def standing(self) -> tuple[bool, int, int]:
        if self._attendant.failed:
            raise DirectoryUnavailable("the last recipient update failed")  # so that the next attendant takes over
        total = self._attendant.total
        return self._attendant.works, total.seen, total.changed


async def ask(clients: Sequence[RpcClient], recipients: Sequence[str] = ()) -> tuple[str, RecipientsUpdated]:
    """Asks the attendants in their order until one works; returns its server's name and its answer. Raises NobodyUpdates."""
    told = []
    for client in clients:
        try:
            done = await stub(client, RECIPIENT_UPDATE).update(recipients)
        except (RpcError, DirectoryUnavailable) as error:
            told.append(f"{client.target.fqdn}: {error}")
            continue
        if done is not None:
            return client.target.fqdn, done
        told.append(f"{client.target.fqdn}: rests")
    raise NobodyUpdates("; ".join(told) or "the organization has no mailbox server")
