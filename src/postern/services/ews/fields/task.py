"""The properties of tasks, in the order of TaskType (MS-OXWSTASK section 2.2.4.3)."""

from __future__ import annotations

import math

from postern.items.properties import Value
from postern.items.task_progress import rule_of, start_of
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import value
from postern.protocols.ews.regenerations import read_task_recurrence, task_recurrence_markup
from postern.protocols.ews.shapes import Shape
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.mapped import DATE, Form, choices, constant
from postern.services.ews.fields.own_items import common, item_fields
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.task_editor import TASKS, TaskEditor, task_of

STATES = ("NotStarted", "InProgress", "Completed", "WaitingOnOthers", "Deferred")
_DESCRIPTIONS = ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")


def _percent(sent: xml.Element) -> Value:
    try:
        number = float(sent.text[:40])
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None
    if not math.isfinite(number) or not 0 <= number <= 100:
        raise EwsError(Code.INVALID_PERCENT_COMPLETE_VALUE)
    return number / 100


_PERCENT = Form(lambda held: f"{held * 100:g}" if isinstance(held, (int, float)) else "", _percent)


def _recurrence(view: ItemView, shape: Shape) -> str:
    part = task_of(view).part
    ruled, start = rule_of(part), start_of(part)
    return task_recurrence_markup(*ruled, start.local) if ruled is not None and start is not None else ""


def _set_recurrence(editor: TaskEditor, sent: xml.Element | None) -> None:
    editor.set_recurrence(read_task_recurrence(sent) if sent is not None else None)


def _description(view: ItemView, shape: Shape) -> str:
    state = TASKS.value(view, TASKS.property("PidLidTaskStatus"))
    return value("t:StatusDescription", _DESCRIPTIONS[state if isinstance(state, int) else 0])


def _owner(view: ItemView, shape: Shape) -> str:
    return value("t:Owner", TASKS.text(view, "PidLidTaskOwner") or view.mailbox.recipient.display_name)


_field = TASKS.field
TASK_FIELDS: tuple[Field, ...] = (
    *item_fields(common(TASKS)),
    _field("task:ActualWork", "PidLidTaskActualEffort"),
    constant("task:AssignedTime", ""),
    _field("task:BillingInformation", "PidLidBilling"),
    _field("task:ChangeCount", "PidLidTaskVersion", absent=1, is_written=False),
    _field("task:Companies", "PidLidCompanies"),
    _field("task:CompleteDate", "PidLidTaskDateCompleted", DATE),
    _field("task:Contacts", "PidLidContacts"),
    # Tasks are not assigned to others here.
    constant("task:DelegationState", "<t:DelegationState>NoMatch</t:DelegationState>"),
    _field("task:Delegator", "PidLidTaskAssigner", is_written=False),
    _field("task:DueDate", "PidLidTaskDueDate", DATE, default=True),
    constant("task:IsAssignmentEditable", "<t:IsAssignmentEditable>0</t:IsAssignmentEditable>"),
    _field("task:IsComplete", "PidLidTaskComplete", is_written=False),
    _field("task:IsRecurring", "PidLidTaskFRecurring", is_written=False),
    _field("task:IsTeamTask", "PidLidTeamTask", absent=False, is_written=False),
    _field("task:Mileage", "PidLidMileage"),
    Field("task:Owner", "Owner", _owner, needs=Need.BAG),
    _field("task:PercentComplete", "PidLidPercentComplete", _PERCENT, default=True, absent=0.0),
    Field("task:Recurrence", "Recurrence", _recurrence, needs=Need.CONTENT, single=True, write=_set_recurrence),
    _field("task:StartDate", "PidLidTaskStartDate", DATE, default=True),
    _field("task:Status", "PidLidTaskStatus", choices(*STATES), default=True),
    Field("task:StatusDescription", "StatusDescription", _description, needs=Need.CONTENT),
    _field("task:TotalWork", "PidLidTaskEstimatedEffort"),
)
