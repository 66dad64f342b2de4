"""What the schema of requests has passes, and what it does not have is named.

covers: schema
"""

from __future__ import annotations

import pytest

from postern.protocols import xml
from postern.protocols.ews.names import MESSAGES, TYPES
from postern.protocols.ews.schema import of_requests
from postern.protocols.ews.validation import violation_of
from tests.services.ews.templates import TEMPLATES

SHAPE = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
FOLDER = '<m:ParentFolderIds><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderIds>'
ITEMS = '<m:ItemIds><t:ItemId Id="x"/></m:ItemIds>'
SUBJECT = '<t:FieldURI FieldURI="item:Subject"/>'
CONTAINS = f'<t:Contains ContainmentMode="Substring">{SUBJECT}<t:Constant Value="x"/></t:Contains>'
RESTRICTION = f"<m:Restriction>{CONTAINS}</m:Restriction>"
WEEKLY = "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>{}</t:DaysOfWeek></t:WeeklyRecurrence>"


def body(markup: str) -> xml.Element:
    spaces = f'xmlns:t="{TYPES}" xmlns:m="{MESSAGES}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:o="urn:other"'
    return xml.read(f"<o:x {spaces}>{markup}</o:x>".encode()).elements[0]


def wrong(markup: str) -> str:
    """What is wrong in a request; "" for nothing. Namespaces are written as their prefixes."""
    violation = violation_of(body(markup))
    return violation.text.replace(MESSAGES, "m").replace(TYPES, "t") if violation is not None else ""


def find(inner: str = RESTRICTION, traversal: str = ' Traversal="Shallow"', shape: str = SHAPE, more: str = "") -> str:
    return f"<m:FindItem{traversal}>{shape}{inner}{FOLDER}{more}</m:FindItem>"


def delete(attributes: str) -> str:
    return f"<m:DeleteItem {attributes}>{ITEMS}</m:DeleteItem>"


def create(inner: str, kind: str = "Message") -> str:
    return f"<m:CreateItem><m:Items><t:{kind}>{inner}</t:{kind}></m:Items></m:CreateItem>"


@pytest.mark.parametrize(
    "markup",
    [
        find(),
        # In another order.
        find("", more=RESTRICTION),
        find(traversal=' Traversal=" Shallow " o:mine="x" i:nil="0"'),
        find(shape="<m:ItemShape/>"),
        create("<t:EmailAddresses/>", "Contact"),
        "<m:GetRoomLists/>",
        '<m:DeleteAttachment><m:AttachmentIds><t:AttachmentId Id="x" RootItemId="y" RootItemChangeKey="z"/></m:AttachmentIds>'
        "</m:DeleteAttachment>",
        "<m:GetMailTips>All<m:SendingAs><t:EmailAddress>x</t:EmailAddress></m:SendingAs><m:Recipients/></m:GetMailTips>",
        "<m:GetItems>not in the schema at all</m:GetItems>",
        "<t:GetItem/>",
        delete('DeleteType="HardDelete" SendMeetingCancellations="SendToNone" SuppressReadReceipts="1"'),
        create("<t:Subject>x</t:Subject><t:Importance>High</t:Importance><t:Body BodyType='HTML'>&lt;p/></t:Body>"),
        create('<t:Importance i:nil="true"/>'),
        create(f"<t:Recurrence>{WEEKLY.format('Monday  Friday')}</t:Recurrence>", "CalendarItem"),
        create("<t:ReminderMinutesBeforeStart>15</t:ReminderMinutesBeforeStart><t:Size> +7 </t:Size>"),
        # What later versions of Exchange have is for the readers to refuse.
        '<m:GetFolder><m:FolderShape/><m:FolderIds><t:DistinguishedFolderId Id="workingset"/></m:FolderIds></m:GetFolder>',
        "<m:GetUserAvailabilityRequest><t:TimeZone><t:Bias>0</t:Bias></t:TimeZone><m:MailboxDataArray/>"
        "</m:GetUserAvailabilityRequest>",
        '<m:FindPeople Traversal="Shallow"><m:IndexedPageItemView Offset="0" BasePoint="Beginning"/></m:FindPeople>',
        "<m:GetPasswordExpirationDate><t:MailboxSmtpAddress>x</t:MailboxSmtpAddress></m:GetPasswordExpirationDate>",
    ],
)
def test_what_the_schema_has_passes(markup: str) -> None:
    assert wrong(markup) == ""


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (find(CONTAINS), "The element 'FindItem' in namespace 'm' has invalid child element 'Contains' in namespace 't'."),
        (
            find(RESTRICTION.replace("m:", "t:")),
            "The element 'FindItem' in namespace 'm' has invalid child element 'Restriction' in namespace 't'.",
        ),
        (
            find(RESTRICTION * 2),
            "The element 'FindItem' in namespace 'm' has invalid child element 'Restriction' in namespace 'm'.",
        ),
        (
            find().replace("ParentFolderIds", "ParentFolderId"),
            "The element 'FindItem' in namespace 'm' has invalid child element 'ParentFolderId' in namespace 'm'.",
        ),
        (
            find(RESTRICTION.replace("t:Contains", "o:Contains")),
            "The element 'Restriction' in namespace 'm' has invalid child element 'Contains' in namespace 'urn:other'.",
        ),
        (find(shape=""), "The element 'FindItem' in namespace 'm' has incomplete content. List of possible elements "
                         "expected: 'ItemShape'."),
        (find(traversal=""), "The required attribute 'Traversal' is missing."),
        (find(traversal=' t:Traversal="Shallow"'), "The '{t}Traversal' attribute is not declared."),
        (
            find(traversal=' Traversal="Wide"'),
            "The 'Traversal' attribute is invalid - The value 'Wide' is invalid according to its datatype "
            "'ItemQueryTraversalType'.",
        ),
        (delete('DeletType="SoftDelete"'), "The 'DeletType' attribute is not declared."),
        (
            delete('DeleteType="HardDelete" SuppressReadReceipts="True"'),
            "The 'SuppressReadReceipts' attribute is invalid - The value 'True' is invalid according to its datatype 'boolean'.",
        ),
        (
            create("<t:Importance>Great</t:Importance>"),
            "The 't:Importance' element is invalid - The value 'Great' is invalid according to its datatype "
            "'ImportanceChoicesType'.",
        ),
        (
            create("<t:Body BodyType='HTML'><o:p>x</o:p></t:Body>"),
            "The element 't:Body' cannot contain child element 'p' because the parent element's content model is text only.",
        ),
        (create("<t:Colour/>"), "The element 'Message' in namespace 't' has invalid child element 'Colour' in namespace 't'."),
        (
            create(f"<t:Recurrence>{WEEKLY.format('Monday Lunchday')}</t:Recurrence>", "CalendarItem"),
            "The 't:DaysOfWeek' element is invalid - The value 'Monday Lunchday' is invalid according to its datatype "
            "'DaysOfWeekType'.",
        ),
        (
            create(f"<t:Size>{2**31}</t:Size>"),
            "The 't:Size' element is invalid - The value '2147483648' is invalid according to its datatype 'int'.",
        ),
    ],
)  # fmt: skip
def test_what_the_schema_has_not_is_named(markup: str, text: str) -> None:
    assert wrong(markup) == text


def test_a_text_about_a_request_is_short() -> None:
    long = "x" * 200
    for markup in (
        find(f"<t:{long}/>"),
        find(f'<{long} xmlns="urn:{long}"/>'),
        find(traversal=f' {long}="{long}"'),
        find(traversal=f' Traversal="{long}"'),
        create(f"<t:Size>{long}</t:Size>"),
        create(f"<t:Size><t:{long}/></t:Size>"),
    ):
        assert 0 < len(wrong(markup)) < 400


def test_the_element_that_is_wrong_is_given() -> None:
    request = body(find(CONTAINS))
    violation = violation_of(request)
    assert violation is not None and violation.element is request.elements[1]


def test_templates_are_in_the_schema() -> None:
    for template in TEMPLATES:
        assert wrong(template.format(item="x", folder="x", key="x", attachment="x", conversation="x")) == ""


def test_every_type_of_requests_is_in_their_table() -> None:
    table = of_requests()
    named = {place.type for place in table.asks.values()}
    for kind in table.kinds.values():
        named.update(place.type for place in (*kind.elements, *kind.attributes.values()))
        named.update(kind.members or (kind.base,))
    assert {name for name in named if name and name != "any" and not name.startswith("xs:")} == table.kinds.keys()
