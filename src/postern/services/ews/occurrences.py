"""Occurrences by ids that name a series and a number, and series by ids of their occurrences: OccurrenceItemId and
RecurringMasterItemId (MS-OXWSCDATA section 2.2.4)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice

from postern.items.appointment import ITEM_CLASS
from postern.model.folders import is_class
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import FolderId, ItemId, read_id
from postern.protocols.ews.names import t, unsigned
from postern.protocols.ical.expansion import Budget
from postern.services.ews.appointments import EACH, of_view
from postern.services.ews.item_view import ItemView, Need, ReadOnce
from postern.services.scheduling.aside import aside, may_recur

MAX_INDEX = 10_000
"""The largest number of an occurrence, which is also the number of those that a series has here."""
NAMES = frozenset({t("OccurrenceItemId"), t("RecurringMasterItemId")})


class SeriesRead(ReadOnce):
    """Appointments that are read once for their occurrences. Raises EwsError ErrorItemNotFound for what is none."""

    async def whole(self, wanted: ItemId) -> ItemView:
        """The view of the appointment that an id is of, or of whose occurrence it is, with its content and bag."""
        view = await self.view(replace(wanted, start=None), Need.CONTENT | Need.BAG)
        if not is_class(view.stored.item_class, ITEM_CLASS):
            raise EwsError(Code.ITEM_NOT_FOUND)
        return view


async def resolve(series: SeriesRead, named: xml.Element) -> ItemId:
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
    view = await series.whole(wanted)
    octets = view.content or b""
    key = await aside(octets, partial(_key_at, view, index), is_long=may_recur(octets))
    return ItemId(wanted.mailbox, wanted.item, key)


def _key_at(view: ItemView, index: int) -> int:
    """The number of the occurrence with an index, from 1 on. Those that were taken out count, too."""
    it = of_view(view)
    if not it.is_master:
        raise EwsError(Code.CALENDAR_CANNOT_USE_ID_FOR_OCCURRENCE_ID)
    base, steps = it.series.masters[0], view.call.steps
    if not 0 < index <= MAX_INDEX:
        raise EwsError(Code.CALENDAR_OCCURRENCE_INDEX_IS_OUT_OF_RECURRENCE_RANGE)
    own = Budget(min(steps.left, EACH))
    begun = own.left
    excluded, base.excluded = base.excluded, set()
    original = next(islice(base.originals(None, None, own), index - 1, None), None)
    base.excluded = excluded
    steps.left -= begun - own.left
    if original is None:
        if own.is_spent:
            raise EwsError(Code.INSUFFICIENT_RESOURCES, "The occurrence takes too many steps to find.")
        raise EwsError(Code.CALENDAR_OCCURRENCE_INDEX_IS_OUT_OF_RECURRENCE_RANGE)
    if original[1] in excluded:
        raise EwsError(Code.CALENDAR_OCCURRENCE_IS_DELETED_FROM_RECURRENCE)
    return original[1]
