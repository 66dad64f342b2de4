"""Deletes items: moves them to the deleted items of their mailbox, or removes them for good.

A kind of items whose deletion does more than that has a function of its own (`kinds.ItemKind.delete`): a meeting sends
cancellations, a recurring task goes on to its next occurrence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from postern.model.item_store import StoredItem
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.services.ews.access import Call, Mailbox

if TYPE_CHECKING:
    from postern.services.ews.places import ItemRef


class Disposal(StrEnum):
    """A way to delete (MS-OXWSCDATA section 2.2.5.11). There is no dumpster here, so that SOFT removes for good, too."""

    HARD = "HardDelete"
    SOFT = "SoftDelete"
    TRASH = "MoveToDeletedItems"


@dataclass(frozen=True, slots=True)
class Deletion:
    """The part of a request that counts for all items that it deletes. `cancellations` is SendMeetingCancellations, `tasks` is
    AffectedTaskOccurrences; "" where the request says nothing of it."""

    disposal: Disposal
    cancellations: str = ""
    tasks: str = ""


CANCELLATIONS = ("SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy")
TASKS = ("AllOccurrences", "SpecifiedOccurrenceOnly")

Delete = Callable[[Call, Mailbox, StoredItem, "ItemRef", Deletion], Awaitable[None]]
"""Deletes an item of a kind, or the occurrence that the reference names (`id.start`). Raises EwsError, MailboxError."""


def read_disposal(request: xml.Element) -> Disposal:
    """Reads the DeleteType of a request. Raises EwsError ErrorSchemaValidation."""
    try:
        return Disposal(request.attributes.get("DeleteType", ""))
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None


async def dispose(mailbox: Mailbox, ids: Sequence[int], disposal: Disposal) -> None:
    """Deletes these items, all or none. Who may delete an item may move it to the deleted items of its mailbox: that takes no
    right there. Raises EwsError ErrorAccessDenied; MailboxError NONEXISTENT where there is none of them."""
    if disposal is not Disposal.TRASH:
        await mailbox.store.delete(mailbox.id, ids)
        return
    there = await mailbox.demand_delete(ids)
    await mailbox.server.items.move_items(mailbox.id, there, await mailbox.trash())
