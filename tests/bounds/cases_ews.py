"""Worst cases of what reads requests to Exchange Web Services."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress

from postern.protocols import xml
from postern.protocols.ews import (
    alternate_ids,
    envelope,
    exported,
    ids,
    paths,
    recurrences,
    regenerations,
    shapes,
    subscriptions,
    time_zones,
    times,
    user_configurations,
    validation,
)
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import MESSAGES, SOAP, TYPES
from postern.services.ews import attendees, conversation_index, extended, kinds, places
from postern.services.http import outgoing
from tests.bounds.growth import Cases, Work

E = "protocols.ews."
S = "services.ews."
_SPACES = f'xmlns:s="{SOAP}" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"'


def _envelope(size: int) -> bytes:
    return f"<s:Envelope {_SPACES}><s:Body><m:a>{'<t:b/>' * (size // 6)}</m:a></s:Body></s:Envelope>".encode()


def _fault_or_request(size: int) -> Work:
    octets = _envelope(size)

    def work() -> None:
        with suppress(envelope.Fault):
            envelope.read(octets)

    return work


def _invalid(size: int) -> Work:
    items = '<t:ItemId Id="x"/>' * min(size // 18, 100_000)
    octets = (
        f"<s:Envelope {_SPACES}><s:Body><m:GetItem><m:ItemShape/><m:ItemIds>{items}</m:ItemIds><m:x/></m:GetItem></s:Body>"
        "</s:Envelope>"
    ).encode()

    def work() -> None:
        with suppress(envelope.Fault):
            envelope.read(octets)

    return work


def _request(markup: str) -> xml.Element:
    return _element(markup).elements[0]


def _get_item(size: int) -> xml.Element:
    items = '<t:ItemId Id="x"/>' * (size // 18)
    return _request(f"<m:GetItem><m:ItemShape/><m:ItemIds>{items}</m:ItemIds></m:GetItem>")


def _element(markup: str) -> xml.Element:
    bounds = xml.Bounds(octets=1 << 30, elements=1 << 30, attributes=1 << 30, value=1 << 30)
    return xml.read(f"<t:x {_SPACES}>{markup}</t:x>".encode(), bounds)


def _uri(size: int) -> xml.Element:
    return _element(f'<t:FieldURI FieldURI="{"a" * size}"/>').elements[0]


def _name(size: int) -> xml.Element:
    return _element(
        f'<t:ExtendedFieldURI DistinguishedPropertySetId="Common" PropertyName="{"a" * size}" PropertyType="String"/>'
    ).elements[0]


def _texts(size: int) -> xml.Element:
    uri = '<t:ExtendedFieldURI PropertyTag="1" PropertyType="StringArray"/>'
    return _element(f"{uri}<t:Values>{'<t:Value/>' * (size // 10)}</t:Values>")


def _refused(work: Work) -> Work:
    def refused() -> None:
        with suppress(EwsError):
            work()

    return refused


def _zone(size: int) -> xml.Element:
    periods = "".join([f'<t:Period Bias="PT1H" Id="{place}"/>' for place in range(size // 30)])
    return _element(f"<t:z><t:Periods>{periods}</t:Periods><t:TransitionsGroups/></t:z>").elements[0]


def _recurrence(size: int) -> xml.Element:
    return _element(f"<t:WeeklyRecurrence><t:DaysOfWeek>{'Monday ' * (size // 7)}</t:DaysOfWeek></t:WeeklyRecurrence>")


_MAILBOX = "<t:Mailbox><t:EmailAddress>a@example.test</t:EmailAddress></t:Mailbox>"


def _item(size: int) -> xml.Element:
    return _element(f'<t:ItemId Id="{"A" * size}"/>').elements[0]


_ENTRY = (
    "<t:DictionaryEntry><t:DictionaryKey><t:Type>String</t:Type><t:Value>a</t:Value></t:DictionaryKey>"
    "<t:DictionaryValue><t:Type>DateTime</t:Type><t:Value>x</t:Value></t:DictionaryValue></t:DictionaryEntry>"
)

CASES: Cases = {
    E + "envelope.read": _fault_or_request,
    E + "envelope.read: what is in the schema, but for the last": _invalid,
    E + "validation.violation_of": lambda size: (lambda body: lambda: validation.violation_of(body))(_get_item(size)),
    E + "validation.violation_of: texts": lambda size: (lambda body: lambda: validation.violation_of(body))(
        _request(f"<m:GetMailTips><m:MailTipsRequested>{'All ' * (size // 4)}</m:MailTipsRequested></m:GetMailTips>")
    ),
    E + "ids.read_id": lambda size: _refused(lambda: ids.read_id("A" * size)),
    E + "alternate_ids.read_alternate": lambda size: _refused(
        lambda: alternate_ids.read_alternate(alternate_ids.IdFormat.OWA, "%" * size)
    ),
    E + "ids.read_change_key": lambda size: _refused(lambda: ids.read_change_key("A" * size)),
    E + "paths.read_path": lambda size: (lambda element: lambda: paths.read_path(element))(_uri(size)),
    E + "paths.read_path: a long name": lambda size: (lambda element: lambda: paths.read_path(element))(_name(size)),
    E + "paths.read_paths": lambda size: (lambda element: _refused(lambda: paths.read_paths(element)))(
        _element('<t:FieldURI FieldURI="a"/>' * (size // 26))
    ),
    E + "shapes.read_shape": lambda size: (lambda element: _refused(lambda: shapes.read_shape(element)))(
        _element("<t:BaseShape/>" * (size // 14))
    ),
    E + "times.read_local": lambda size: _refused(lambda: times.read_local("1" * size)),
    E + "times.read_time": lambda size: _refused(lambda: times.read_time(" " * size + "2026-11-30")),
    E + "subscriptions.read_subscription": lambda size: _refused(lambda: subscriptions.read_subscription("A" * size)),
    E + "subscriptions.read_watermark": lambda size: _refused(lambda: subscriptions.read_watermark("A" * size)),
    E + "exported.read": lambda size: (lambda text: lambda: exported.read(text))(
        b64encode(exported.write(exported.Exported("IPM.Note", False, 1, 2, (), (), b"x" * size))).decode()
    ),
    E + "user_configurations.read_name": lambda size: (
        lambda element: _refused(lambda: user_configurations.read_name(element))
    )(xml.Element("a", {"Name": "n" * size})),
    E + "user_configurations.read_configuration": lambda size: (
        lambda element: _refused(lambda: user_configurations.read_configuration(element))
    )(_element(f"<t:Dictionary>{_ENTRY * min(1_000, size // 200)}</t:Dictionary><t:XmlData>{'A' * size}</t:XmlData>")),
    S + "conversation_index.number_of": lambda size: (lambda octets: lambda: conversation_index.number_of(octets))(
        b'(NIL "' + b"RE: " * (size // 4) + b'" NIL NIL NIL NIL NIL NIL NIL NIL)'
    ),
    "services.http.outgoing.target_of": lambda size: lambda: outgoing.target_of("https://a.example/" + "x" * size),
    E + "subscriptions.read_result": lambda size: (lambda octets: _refused(lambda: subscriptions.read_result(octets)))(
        f"<a>{'<b/>' * (size // 4)}</a>".encode()
    ),
    E + "subscriptions.read_minutes": lambda size: _refused(lambda: subscriptions.read_minutes("1" * size)),
    E + "subscriptions.read_events": lambda size: (
        lambda element: _refused(lambda: subscriptions.read_events(element))
    )(_element("<t:EventType>MovedEvent</t:EventType>" * (size // 37))),
    E + "recurrences.read_recurrence": lambda size: (
        lambda element: _refused(lambda: recurrences.read_recurrence(element))
    )(_recurrence(size)),
    E + "regenerations.read_task_recurrence": lambda size: (
        lambda element: _refused(lambda: regenerations.read_task_recurrence(element))
    )(_element("<t:DailyRegeneration><t:Interval>1</t:Interval></t:DailyRegeneration>" * (size // 75))),
    E + "time_zones.read_definition": lambda size: (
        lambda element: _refused(lambda: time_zones.read_definition(element))
    )(_zone(size)),
    E + "time_zones.read_meeting_zone": lambda size: (
        lambda element: _refused(lambda: time_zones.read_meeting_zone(element))
    )(_element("<t:BaseOffset>PT1H</t:BaseOffset>" * (size // 34))),
    E + "time_zones.read_duration": lambda size: _refused(lambda: time_zones.read_duration("1" * size)),
    S + "attendees.read_attendees": lambda size: (lambda element: _refused(lambda: attendees.read_attendees(element)))(
        _element(f"<t:Attendee>{_MAILBOX}</t:Attendee>" * (size // 90))
    ),
    S + "extended.read": lambda size: (lambda element: _refused(lambda: extended.read(element)))(_texts(size)),
    S + "places.item_ref": lambda size: (lambda element: _refused(lambda: places.item_ref(element)))(_item(size)),
    S + "kinds.kind_of": lambda size: lambda: kinds.kind_of.__wrapped__("IPM." + "A" * size),
}
