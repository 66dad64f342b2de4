"""MAPI's properties of appointments, tasks, contacts and notes: written and read back, and what is not theirs stays.

covers: properties, property_values, calendar_properties, appointment_properties, task_properties
covers: contact_properties, note_properties
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.items import calendar_object, contact
from postern.items.appointment_properties import APPOINTMENT_PROPERTIES, uid_of_global_id
from postern.items.calendar_object import CalendarObject
from postern.items.calendar_properties import CalendarContent
from postern.items.contact import Contact
from postern.items.contact_properties import CONTACT_PROPERTIES
from postern.items.note_properties import NOTE_PROPERTIES, NoteContent
from postern.items.properties import Property, PropertyMap, Type, Value
from postern.items.property_values import decoded, encoded
from postern.items.task_properties import TASK_PROPERTIES
from postern.model.item_store import PropertyName
from postern.protocols.ical.zones import named_zone
from tests.items.calendars import event, octets, todo

MAPS: dict[str, PropertyMap[Any]] = {
    "appointment": APPOINTMENT_PROPERTIES,
    "task": TASK_PROPERTIES,
    "contact": CONTACT_PROPERTIES,
    "note": NOTE_PROPERTIES,
}
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=30).map(
    lambda text: text.strip()
)
TEXTS = TEXT.filter(bool)
WORDS = st.lists(TEXTS.filter(lambda text: "," not in text), min_size=1, max_size=4, unique=True).map(tuple)
TIMES = st.integers(0, 4_000_000_000)
DAYS = st.integers(0, 40_000).map(lambda day: day * 86_400)
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "PidTagBody": st.lists(TEXTS, min_size=1, max_size=3).map("\n".join),
    "PidTagImportance": st.integers(0, 2),
    "PidTagSensitivity": st.integers(0, 3),
    "PidLidBusyStatus": st.integers(0, 3),
    "PidLidIntendedBusyStatus": st.integers(0, 3),
    "PidLidReminderSet": st.just(True),
    "PidLidReminderDelta": st.integers(-100, 100_000),
    "PidLidResponseStatus": st.integers(2, 5),
    "PidLidTaskStatus": st.integers(0, 4),
    "PidLidPercentComplete": st.integers(0, 100).map(lambda number: number / 100),
    "PidTagGender": st.integers(1, 2),
    "PidLidTaskStartDate": DAYS,
    "PidLidTaskDueDate": DAYS,
    "PidLidTaskDateCompleted": DAYS,
    "PidTagBirthday": DAYS,
    "PidTagWeddingAnniversary": DAYS,
    "PidTagSentRepresentingEmailAddress": st.just("anna@x.test"),
    "PidTagSentRepresentingName": TEXTS.filter(lambda text: '"' not in text),
}
BY_TYPE: dict[Type, st.SearchStrategy[Any]] = {
    Type.STRING: TEXTS,
    Type.STRINGS: WORDS,
    Type.TIME: TIMES,
    Type.BOOLEAN: st.booleans(),
    Type.INTEGER32: st.integers(0, 2**31 - 1),
    Type.INTEGER16: st.integers(0, 2**15 - 1),
    Type.FLOATING64: st.floats(allow_nan=False),
    Type.BINARY: TEXTS.map(lambda text: text.encode()),
}
OTHER = ("X-OTHER;X-P=1:stays", "GEO:1;2")


def _strategy(each: Property) -> st.SearchStrategy[Any]:
    return SPECIAL.get(each.canonical, BY_TYPE[each.type])


def _values(map_: PropertyMap[Any], without: tuple[str, ...] = ()) -> st.SearchStrategy[dict[Property, Value]]:
    """Values of some of the properties that can be written."""
    optional = {
        each.property: _strategy(each.property)
        for each in map_
        if each.write is not None and each.property.canonical not in without
    }
    return st.fixed_dictionaries({}, optional=optional)


def _named(values: Mapping[Property, Value]) -> dict[str, Value]:
    return {each.canonical: value for each, value in values.items()}


def _appointment(*lines: str) -> CalendarContent:
    return _calendar(octets(*event(*OTHER, *lines)))


def _calendar(data: bytes, me: frozenset[str] = frozenset({"kim@y.test"})) -> CalendarContent:
    calendar = calendar_object.read(data)
    assert isinstance(calendar, CalendarObject)
    return CalendarContent(calendar, me)


def _contact(data: bytes) -> Contact:
    read = contact.read(data)
    assert isinstance(read, Contact)
    return read


def _card(version: str, *lines: str) -> Contact:
    return _contact(
        "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", "UID:u", "FN:x", *lines, "END:VCARD", ""]).encode()
    )


def _by_name(name: str, map_: PropertyMap[Any] = APPOINTMENT_PROPERTIES) -> Property:
    return next(each.property for each in map_ if each.property.canonical == name)


START, END = _by_name("PidLidAppointmentStartWhole"), _by_name("PidLidAppointmentEndWhole")


@pytest.mark.parametrize("name", MAPS)
def test_a_map_has_each_property_once(name: str) -> None:
    entries = list(MAPS[name])
    canonical = [each.property.canonical for each in entries]
    assert len(set(canonical)) == len(canonical)
    for each in entries:
        assert bool(each.place) is (each.read is not None), each.property
        assert (each.property.id > 0) is (each.property.name is None)
        assert MAPS[name].find(each.property.key) is each
    assert len(entries) >= {"appointment": 60, "contact": 80, "task": 30, "note": 10}[name]


def test_no_two_properties_of_a_set_share_a_number() -> None:
    keys: dict[int | PropertyName, str] = {}
    for map_ in MAPS.values():
        for each in map_:
            assert keys.setdefault(each.property.key, each.property.canonical) == each.property.canonical


def _round_trip(
    map_: PropertyMap[Any],
    content: Any,
    values: Mapping[Property, Value],
    again: Callable[[Any], Any],
    written: Callable[[Any], bytes],
) -> Any:
    """Writes values, and reads them from the octets that come out; nothing is left for the bag."""
    assert map_.write(content, values) == {}
    stored = written(content)
    read = map_.read(again(stored))
    assert _named({each: read[each] for each in values if each in read}) == _named(values)
    twice = again(stored)
    map_.write(twice, read)
    assert written(twice) == stored, "what is there already stays, octet by octet"
    return again(stored)


@given(_values(APPOINTMENT_PROPERTIES, ("PidLidAppointmentSubType",)))
def test_appointments_come_back(values: dict[Property, Value]) -> None:
    values.setdefault(START, 1_800_000_000)
    values[END] = int(values[START]) + 3_600  # type: ignore[arg-type]  # a time
    if _by_name("PidLidReminderSet") not in values:
        values.pop(_by_name("PidLidReminderDelta"), None)
    people = "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:kim@y.test", "ORGANIZER:mailto:anna@x.test"
    content = _appointment("DTSTART;TZID=Asia/Seoul:20260301T090000", "DURATION:PT1H", *people)
    stored = _round_trip(APPOINTMENT_PROPERTIES, content, values, _calendar, CalendarContent.octets)
    assert b"X-OTHER;X-P=1:stays\r\n" in stored.octets() and stored.part.first("DURATION") is None
    for name, value in (("DTSTART", values[START]), ("DTEND", values[END])):
        assert stored.part.first(name).parameter("TZID") == "Asia/Seoul"
        assert stored.part.value(name) == f"{datetime.fromtimestamp(int(value), ZoneInfo('Asia/Seoul')):%Y%m%dT%H%M%S}"  # type: ignore[arg-type]  # a time
    removed: dict[Property, Value | None] = dict.fromkeys(set(values) - {START, END})
    APPOINTMENT_PROPERTIES.write(stored, removed)
    left = APPOINTMENT_PROPERTIES.read(stored, removed)
    assert set(_named(left)) <= {"PidLidBusyStatus", "PidLidResponseStatus", "PidLidReminderSet", "PidTagSensitivity"}


@given(_values(TASK_PROPERTIES))
def test_tasks_come_back(values: dict[Property, Value]) -> None:
    status, complete = (_by_name(name, TASK_PROPERTIES) for name in ("PidLidTaskStatus", "PidLidTaskComplete"))
    if status in values:
        values.pop(complete, None)
    if _by_name("PidLidReminderSet", TASK_PROPERTIES) not in values:
        values.pop(_by_name("PidLidReminderDelta", TASK_PROPERTIES), None)
    content = _calendar(octets(*todo(*OTHER)))
    _round_trip(TASK_PROPERTIES, content, values, _calendar, CalendarContent.octets)


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_contacts_come_back(version: str) -> None:
    @given(_values(CONTACT_PROPERTIES))
    def check(values: dict[Property, Value]) -> None:
        # A number that is written as a URI is read as the number in it.
        for uri in [each for each, value in values.items() if str(value).lower().startswith(("tel:", "mailto:"))]:
            del values[uri]
        for later, earlier in (("Business2", "Business"), ("Home2", "Home")):
            if _by_name(f"PidTag{earlier}TelephoneNumber", CONTACT_PROPERTIES) not in values:
                values.pop(_by_name(f"PidTag{later}TelephoneNumber", CONTACT_PROPERTIES), None)
        mails = [_by_name(f"PidLidEmail{number}EmailAddress", CONTACT_PROPERTIES) for number in (1, 2, 3)]
        for place, mail in enumerate(mails):
            if any(earlier not in values for earlier in mails[:place]):
                values.pop(mail, None)
        card = _card(version, *OTHER[:1], "TEL;TYPE=x-mine:1", "item1.X-ABLABEL:y", "BDAY:--0203")
        stored = _round_trip(CONTACT_PROPERTIES, card, values, _contact, lambda it: it.card.root.octets())
        text = stored.card.root.octets()
        assert b"X-OTHER;X-P=1:stays\r\n" in text and b"item1.X-ABLABEL:y\r\n" in text
        if not values:
            assert b"BDAY:--0203" in text
        CONTACT_PROPERTIES.write(stored, dict.fromkeys(values))
        assert set(_named(CONTACT_PROPERTIES.read(stored, values))) <= {"PidTagDisplayName"}

    check()


@given(_values(NOTE_PROPERTIES))
def test_notes_come_back(values: dict[Property, Value]) -> None:
    note = NoteContent(b"X-Other: stays\r\nSubject: old\r\nContent-Type: text/plain\r\n\r\nold\r\n")
    stored = _round_trip(NOTE_PROPERTIES, note, values, NoteContent, lambda it: it.octets)
    assert b"X-Other: stays\r\n" in stored.octets
    if _by_name("PidTagBody", NOTE_PROPERTIES) not in values:
        assert stored.octets.endswith(b"\r\n\r\nold\r\n") and b"\r\n\r\n\r\n" not in stored.octets


def test_a_note_of_several_parts_keeps_them() -> None:
    note = NoteContent(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\n")
    body = _by_name("PidTagBody", NOTE_PROPERTIES)
    assert NOTE_PROPERTIES.read(note)[body] == "text"
    with pytest.raises(ValueError, match="several parts"):
        NOTE_PROPERTIES.write(note, {body: "new"})


def test_all_day() -> None:
    zone = named_zone("Asia/Seoul", ZoneInfo)
    assert zone is not None
    content = _appointment()
    content.floating = zone
    start, end = (int(datetime(2026, 3, day, tzinfo=ZoneInfo("Asia/Seoul")).timestamp()) for day in (1, 3))
    all_day = _by_name("PidLidAppointmentSubType")
    APPOINTMENT_PROPERTIES.write(content, {START: start, END: end, all_day: True})
    assert [content.part.value(name) for name in ("DTSTART", "DTEND")] == ["20260301", "20260303"]
    assert APPOINTMENT_PROPERTIES.read(content, [START, END]) == {START: start, END: end}
    APPOINTMENT_PROPERTIES.write(content, {all_day: False})
    assert [content.part.value(name) for name in ("DTSTART", "DTEND")] == ["20260228T150000Z", "20260302T150000Z"]


def test_the_hour_that_the_clock_shows_twice() -> None:
    content = _appointment("DTSTART;TZID=Europe/Berlin:20261001T020000", "DURATION:PT1H")
    for hour in (0, 1):
        time = int(datetime(2026, 10, 25, hour, 30, tzinfo=UTC).timestamp())
        APPOINTMENT_PROPERTIES.write(content, {START: time})
        assert APPOINTMENT_PROPERTIES.read(content, [START]) == {START: time}


def test_a_meeting_and_its_series() -> None:
    people = (
        "ORGANIZER;CN=Anna:mailto:anna@x.test",
        "ATTENDEE;CN=Kim;PARTSTAT=TENTATIVE;X-POSTERN-PROPOSED=20260302T100000Z/20260302T110000Z:mailto:kim@y.test",
        "ATTENDEE;ROLE=OPT-PARTICIPANT;RSVP=TRUE:mailto:lee@z.test",
    )
    series = "DTSTART;TZID=Europe/Berlin:20260301T090000", "DURATION:PT90M", "RRULE:FREQ=WEEKLY", "CLASS:PRIVATE"
    read = _named(APPOINTMENT_PROPERTIES.read(_appointment(*people, *series, "STATUS:CANCELLED")))
    assert read["PidLidAppointmentStateFlags"] == 7 and read["PidLidResponseStatus"] == 2
    assert (read["PidLidToAttendeesString"], read["PidLidCcAttendeesString"]) == ("Kim", "lee@z.test")
    assert read["PidTagSentRepresentingName"] == "Anna" and read["PidTagSenderEmailAddress"] == "anna@x.test"
    assert (read["PidLidRecurring"], read["PidLidRecurrenceType"], read["PidLidPrivate"]) == (True, 2, True)
    assert (read["PidLidAppointmentDuration"], read["PidLidTimeZoneDescription"]) == (90, "Europe/Berlin")
    assert read["PidLidClipEnd"] == int(datetime(4500, 8, 31, 23, 59, tzinfo=UTC).timestamp())
    assert read["PidLidAppointmentProposedStartWhole"] == int(datetime(2026, 3, 2, 10, tzinfo=UTC).timestamp())
    assert (read["PidLidAppointmentCounterProposal"], read["PidLidAppointmentProposalNumber"]) == (True, 1)


def test_global_ids() -> None:
    foreign = _named(APPOINTMENT_PROPERTIES.read(_appointment("RECURRENCE-ID:20260301T090000Z")))
    clean, whole = foreign["PidLidCleanGlobalObjectId"], foreign["PidLidGlobalObjectId"]
    assert isinstance(clean, bytes) and isinstance(whole, bytes)
    assert whole[16:20] == bytes([0x07, 0xEA, 3, 1]) and clean[16:20] == bytes(4)
    assert uid_of_global_id(clean) == uid_of_global_id(whole) == "u1"
    assert uid_of_global_id(b"x" * 50) == ""
    outlook = "040000008200E00074C5B7101A82E00800000000" + "00" * 16 + "0100000041"
    content = _calendar(octets(*event(uid=outlook)))
    ours = _named(APPOINTMENT_PROPERTIES.read(content))["PidLidGlobalObjectId"]
    assert ours == bytes.fromhex(outlook) and uid_of_global_id(bytes.fromhex(outlook)) == outlook


def test_what_no_format_says_is_for_the_bag() -> None:
    color, follows = _by_name("PidLidAppointmentColor"), _by_name("PidLidAppointmentDuration")
    own = Property("PidNameOwn", Type.STRING, 0, PropertyName(_by_name("PidNameKeywords").name.set, None, "Own"))  # type: ignore[union-attr]  # it has one
    content = _appointment("DTSTART:20260301T090000Z")
    before = content.octets()
    assert APPOINTMENT_PROPERTIES.write(content, {color: 3, follows: 5, own: "x"}) == {color: 3, own: "x"}
    assert content.octets() == before


def test_telephones_of_awkward_cards() -> None:
    card = _card(
        "4.0", "TEL;VALUE=uri;TYPE=\"work,voice\":tel:+1", "TEL;TYPE=WORK:2", "TEL;TYPE=work:3", "TEL;PREF=1:4", "TEL:5",
        "EMAIL:b@x.test", "EMAIL;PREF=1:a@x.test", "ADR;TYPE=home:;;Way 1;Ulm;;;",
    )  # fmt: skip
    read = _named(CONTACT_PROPERTIES.read(card))
    assert [read[f"PidTagBusiness{n}TelephoneNumber"] for n in ("", "2")] == ["+1", "2"]
    assert (read["PidTagPrimaryTelephoneNumber"], read["PidTagOtherTelephoneNumber"]) == ("4", "5")
    assert [read[f"PidLidEmail{n}EmailAddress"] for n in (1, 2)] == ["a@x.test", "b@x.test"]
    assert (read["PidTagHomeAddressStreet"], read["PidTagHomeAddressCity"]) == ("Way 1", "Ulm")
    mails = [_by_name(f"PidLidEmail{n}EmailAddress", CONTACT_PROPERTIES) for n in (1, 2)]
    CONTACT_PROPERTIES.write(card, dict.fromkeys(mails))
    assert b"EMAIL" not in card.card.root.octets() and b"TEL;TYPE=work:3\r\n" in card.card.root.octets()


@pytest.mark.parametrize("encoding", ["ENCODING=QUOTED-PRINTABLE", "QUOTED-PRINTABLE", "VALUE=uri;CHARSET=utf-16"])
@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("EMAIL;%s:MAILTO:a@x.test", "PidLidEmail1EmailAddress"),
        ("TEL;TYPE=cell;%s:1", "PidTagMobileTelephoneNumber"),
        ("N;%s:a;b", "PidTagSurname"),
    ],
)
def test_a_new_value_is_not_in_the_encoding_of_the_old_one(line: str, name: str, encoding: str) -> None:
    card = _card("3.0", line % encoding)
    property_ = _by_name(name, CONTACT_PROPERTIES)
    CONTACT_PROPERTIES.write(card, {property_: "a=41@x.test"})
    assert CONTACT_PROPERTIES.read(card, [property_]) == {property_: "a=41@x.test"}


def test_the_scheme_of_an_address_is_not_part_of_it() -> None:
    card = _card("4.0", "EMAIL:MAILTO:a@x.test", "TEL;TYPE=cell:TEL:+1")
    read = _named(CONTACT_PROPERTIES.read(card))
    assert (read["PidLidEmail1EmailAddress"], read["PidTagMobileTelephoneNumber"]) == ("a@x.test", "+1")


@given(st.sampled_from(list(Type)).flatmap(lambda type_: st.tuples(st.just(type_), BY_TYPE[type_])))
def test_values_of_bags_come_back(pair: tuple[Type, Any]) -> None:
    type_, value = pair
    octets_ = encoded(type_, value)
    assert decoded(type_, octets_) == value
    for other in Type:
        decoded(other, octets_), decoded(other, octets_[:-1])


@pytest.mark.parametrize(("type_", "value"), [(Type.INTEGER16, 1 << 20), (Type.STRING, 5), (Type.BINARY, "x")])
def test_values_that_are_not_of_their_type(type_: Type, value: Value) -> None:
    with pytest.raises(ValueError, match=type_.name):
        encoded(type_, value)
