"""Occurrences by ids that name a series and a number, and series by ids of their occurrences: OccurrenceItemId and
RecurringMasterItemId (MS-OXWSCDATA section 2.2.4)."""

from __future__ import annotations

from itertools import islice

from postern.items.appointment import ITEM_CLASS
from postern.model.folders import is_class
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import FolderId, ItemId, read_id
from postern.protocols.ews.names import t, unsigned
from postern.services.ews.access import Call
from postern.services.ews.appointments import Appointment, of_view
from postern.services.ews.item_view import ItemView, Need, load_one

MAX_INDEX = 10_000
"""The largest number of an occurrence, which is also the number of those that a series has here."""
NAMES = frozenset({t("OccurrenceItemId"), t("RecurringMasterItemId")})


async def resolve(call: Call, named: xml.Element) -> ItemId:
    """The item of an OccurrenceItemId or a RecurringMasterItemId. Raises EwsError: ErrorCalendarCannotUseIdForOccurrenceId,
    ErrorCalendarCannotUseIdForRecurringMasterId, ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange,
    ErrorCalendarOccurrenceIsDeletedFromRecurrence, ErrorItemNotFound; those of ids."""
    by_index = named.name == t("OccurrenceItemId")
    wanted = read_id(named.attributes.get("RecurringMasterId" if by_index else "OccurrenceId", ""))
    if isinstance(wanted, FolderId):
        raise EwsError(Code.CANNOT_USE_FOLDER_ID_FOR_ITEM_ID)
    if not isinstance(wanted, ItemId):
        raise EwsError(Code.INVALID_ID_MALFORMED)
    if not by_index:
        if wanted.start is None:
            raise EwsError(Code.CALENDAR_CANNOT_USE_ID_FOR_RECURRING_MASTER_ID)
        return ItemId(wanted.mailbox, wanted.item)
    if wanted.start is not None:
        raise EwsError(Code.CALENDAR_CANNOT_USE_ID_FOR_OCCURRENCE_ID)
    index = unsigned(named.attributes.get("InstanceIndex", ""), 7) or 0
    it = of_view(await appointment_view(call, wanted))
    if not it.is_master:
        raise EwsError(Code.CALENDAR_CANNOT_USE_ID_FOR_OCCURRENCE_ID)
    return ItemId(wanted.mailbox, wanted.item, _key_at(call, it, index))


def _key_at(call: Call, it: Appointment, index: int) -> int:
    """The number of the occurrence with an index, from 1 on. Those that were taken out count, too."""
    base = it.series.masters[0]
    if not 0 < index <= MAX_INDEX:
        raise EwsError(Code.CALENDAR_OCCURRENCE_INDEX_IS_OUT_OF_RECURRENCE_RANGE)
    excluded, base.excluded = base.excluded, set()
    original = next(islice(base.originals(None, None, call.steps), index - 1, None), None)
    base.excluded = excluded
    if original is None:
        raise EwsError(Code.CALENDAR_OCCURRENCE_INDEX_IS_OUT_OF_RECURRENCE_RANGE)
    if original[1] in excluded:
        raise EwsError(Code.CALENDAR_OCCURRENCE_IS_DELETED_FROM_RECURRENCE)
    return original[1]


async def appointment_view(call: Call, wanted: ItemId, needs: Need = Need.CONTENT) -> ItemView:
    """The view of an appointment with its content, or of its occurrence that the id names. Raises EwsError ErrorItemNotFound."""
    view = await load_one(call, wanted, needs | Need.CONTENT)
    if not is_class(view.stored.item_class, ITEM_CLASS):
        raise EwsError(Code.ITEM_NOT_FOUND)
    view.start = wanted.start
    return view
