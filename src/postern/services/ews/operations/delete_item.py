"""DeleteItem (MS-OXWSCORE section 3.1.4.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.items.appointment import ITEM_CLASS as APPOINTMENT
from postern.items.task import ITEM_CLASS as TASK
from postern.model.folders import is_class
from postern.model.item_store import StoredItem
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.deleting import CANCELLATIONS, TASKS, Deletion, dispose, read_disposal
from postern.services.ews.kinds import kind_of
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.places import ItemRef, Selected, item_refs, selected

MAX_IDS = 1_000


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    deletion = _deletion(request)
    refs = await item_refs(call, request.find(m("ItemIds")), MAX_IDS)
    done: set[ItemRef] = set()
    for each in await selected(call, refs):
        done.update(await _dispose_at_once(each, deletion))
    for ref in refs:
        if isinstance(ref, EwsError):
            yield ref
        elif ref in done:
            # Whoever names an item twice has deleted it once.
            done.discard(ref)
            yield ""
        else:
            yield await attempted(_delete(call, ref, deletion))


def _deletion(request: xml.Element) -> Deletion:
    attributes = request.attributes
    cancellations, tasks = attributes.get("SendMeetingCancellations", ""), attributes.get("AffectedTaskOccurrences", "")
    if cancellations not in ("", *CANCELLATIONS) or tasks not in ("", *TASKS):
        raise EwsError(Code.SCHEMA_VALIDATION)
    return Deletion(read_disposal(request), cancellations, tasks)


async def _dispose_at_once(those: Selected, deletion: Deletion) -> list[ItemRef]:
    """Deletes those of which nothing more is to be done, in one call. What cannot be deleted together is left, to be tried one
    after the other."""
    simple = [ref for ref in those.refs if ref.id.start is None and _is_simple(those.items.get(ref.id.item))]
    try:
        await dispose(those.mailbox, list(dict.fromkeys(ref.id.item for ref in simple)), deletion.disposal)
    except (EwsError, MailboxError):
        return []
    return simple


def _is_simple(item: StoredItem | None) -> bool:
    return item is not None and kind_of(item.item_class).delete is None and _required(item.item_class) is None


def _required(item_class: str) -> Code | None:
    """The error for an item of this class where the request leaves out what it must say of such items (MS-OXWSCORE section
    3.1.4.3.3.2)."""
    if is_class(item_class, APPOINTMENT):
        return Code.SEND_MEETING_CANCELLATIONS_REQUIRED
    if is_class(item_class, TASK):
        return Code.AFFECTED_TASK_OCCURRENCES_REQUIRED
    return None


async def _delete(call: Call, ref: ItemRef, deletion: Deletion) -> str:
    mailbox = await call.mailbox_with(ref.id.mailbox)
    await mailbox.nodes()
    for item in await mailbox.store.get(mailbox.id, [ref.id.item]):
        missing = _required(item.item_class)
        if missing is Code.SEND_MEETING_CANCELLATIONS_REQUIRED and not deletion.cancellations:
            raise EwsError(missing)
        if missing is Code.AFFECTED_TASK_OCCURRENCES_REQUIRED and not deletion.tasks:
            raise EwsError(missing)
        delete = kind_of(item.item_class).delete
        if delete is not None:
            await delete(call, mailbox, item, ref, deletion)
        elif ref.id.start is not None:
            raise EwsError(Code.CANNOT_DELETE_OBJECT)
        else:
            await dispose(mailbox, [item.id], deletion.disposal)
        return ""
    raise EwsError(Code.ITEM_NOT_FOUND)


DELETE_ITEM = Batch("DeleteItem", Version.V2007, "MS-OXWSCORE 3.1.4.3", run)
