"""The flag for follow-up of a message, as requests set it (MS-OXWSCORE section 2.2.4.19)."""

from __future__ import annotations

import time
from typing import NamedTuple

from postern.items.message_properties import FLAG_COMPLETED, FLAG_STATUS, TASK_DUE, TASK_START
from postern.items.properties import Property, Value
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import t
from postern.protocols.ews.times import read_time


class FollowUp(NamedTuple):
    """A flag for follow-up: whether IMAP's \\Flagged is set, and the properties beside it, None for one that is taken out."""

    is_flagged: bool
    bag: dict[Property, Value | None]


def read_follow_up(field: xml.Element | None) -> FollowUp:
    """Reads a t:Flag; None takes the flag away. A flag that is complete has a date, and no start and end. Raises EwsError:
    ErrorSchemaValidation for no such status, ErrorInvalidArgument for dates that do not go with it."""
    status = field.text_of(t("FlagStatus")) if field is not None else "NotFlagged"
    if status not in ("NotFlagged", "Flagged", "Complete"):
        raise EwsError(Code.SCHEMA_VALIDATION)
    dates = {
        name: read_time(text)
        for name in ("StartDate", "DueDate", "CompleteDate")
        if field is not None and (text := field.text_of(t(name)))
    }
    allowed = {"Flagged": {"StartDate", "DueDate"}, "Complete": {"CompleteDate"}}.get(status, set())
    if not dates.keys() <= allowed or ("StartDate" in dates and "DueDate" not in dates):
        raise EwsError(Code.INVALID_ARGUMENT, "These dates do not go with this flag.")
    is_complete = status == "Complete"
    return FollowUp(
        status == "Flagged",
        {
            FLAG_STATUS: 1 if is_complete else None,
            FLAG_COMPLETED: dates.get("CompleteDate", int(time.time())) if is_complete else None,
            TASK_START: dates.get("StartDate"),
            TASK_DUE: dates.get("DueDate"),
        },
    )
