"""Fuzz target for what reads items that are not mail: `python tests/fuzz/fuzz_items.py -max_total_time=300`, with atheris.

The first octet says which reader gets the rest. None may raise; octets that are read are written again, occurrences stay within
the span that is rendered, and what a query finds in a span is in it.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.items import (
        alarms,
        appointment,
        attachments,
        availability,
        booking,
        busy_request,
        calendar_data,
        calendar_object,
        calendar_properties,
        calendar_query,
        calendar_zones,
        card_data,
        card_query,
        contact,
        contact_properties,
        copy_changes,
        free_busy,
        imip,
        implicit_scheduling,
        invitations,
        letters,
        managed_attachments,
        organizing,
        property_values,
        reminder,
        schedule_tag,
        scheduling,
        stored,
        suggestions,
        task,
        task_progress,
        task_properties,
        text,
        working_hours,
        zones,
    )
    from postern.items.appointment_properties import APPOINTMENT_PROPERTIES, uid_of_global_id
    from postern.items.calendar_object import CalendarObject
    from postern.items.contact import Contact
    from postern.items.filters import CardFilter, Collation, ComponentFilter, PropertyFilter, TextMatch, TimeRange
    from postern.items.properties import Type
    from postern.items.series import Series
    from postern.protocols import content_lines
    from postern.protocols.ical import rule, values
    from postern.protocols.ical.bias_zones import BiasZone
    from postern.protocols.ical.expansion import Budget, expand
    from postern.protocols.ical.zones import UTC_ZONE

from datetime import datetime
from itertools import islice, pairwise

SPAN = TimeRange(1_767_225_600, 1_769_904_000)
START = datetime(2026, 1, 1, 9)
WHEN = values.When(START, values.Kind.ZONED, "Asia/Seoul")


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a reader does what it must not."""
    if not data:
        return
    seed, rest = data[0], data[1:]
    READERS[seed % len(READERS)](rest)


def _lines(octets: bytes) -> None:
    document = content_lines.read(octets)
    for root in document.roots:
        written = root.octets()
        again = content_lines.read(written).roots
        assert [other.octets() for other in again] == [written]
        for line in root.lines():
            made = content_lines.line(line.name or "X", line.value, line.parameters, line.group)
            assert all(len(piece) <= 75 for piece in made.raw.split(b"\r\n"))
            content_lines.unescaped(line.value)
            text.text_of(line.value).encode("utf-8")


def _calendar(octets: bytes) -> None:
    calendar = calendar_object.read(octets)
    zones.zone_of_calendar(octets)
    if not isinstance(calendar, CalendarObject):
        return
    calendar_object.check(calendar)
    rendered = task.render(calendar) if calendar.kind == "VTODO" else appointment.render(calendar)
    rendered.summary.encode("utf-8"), rendered.uid.encode("utf-8"), rendered.organizer.encode("utf-8")
    assert "\0" not in rendered.summary + rendered.uid + rendered.organizer + rendered.location + rendered.status
    series = Series(calendar)
    budget = Budget(20_000)
    for occurrence in series.between(SPAN.start, SPAN.end, 50, budget):
        assert SPAN.start is not None and SPAN.end is not None
        assert occurrence.start < SPAN.end and max(occurrence.end, occurrence.start + 1) > SPAN.start
        assert rendered.starts is not None and rendered.starts <= occurrence.start
        assert rendered.recurs_until is None or occurrence.end <= rendered.recurs_until
    alarm = alarms.next_alarm(calendar, 0)
    assert alarm is None or alarm.time > 0
    kept = stored.values_of(calendar, 0, {"a@b.test"})
    copied = calendar_object.read(calendar.root.octets())
    assert isinstance(copied, CalendarObject)
    task_progress.completed_copy(copied)
    task_progress.advance(copied, START)
    if kept.reminds is not None:
        done = reminder.due(calendar, kept.reminds, kept.reminds, {"a@b.test"}, imip.Letter("a@b", ["a@b"], "", "1", 0))
        assert done.next is None or done.next > kept.reminds
    assert kept.reminds is None or kept.reminds >= 0
    ringing = ComponentFilter(calendar.kind, components=(ComponentFilter("VALARM", time_range=SPAN),))
    calendar_query.matches(calendar, ComponentFilter("VCALENDAR", components=(ringing,)), budget=budget)
    inside = ComponentFilter(calendar.kind, time_range=SPAN, properties=(PropertyFilter("X", is_not_defined=True),))
    calendar_query.matches(calendar, ComponentFilter("VCALENDAR", components=(inside,)), budget=budget)
    wanted = calendar_data.Wanted(expand=SPAN, limit_busy=SPAN)
    calendar_data.retrieve(calendar, wanted, budget=Budget(20_000), most=50)
    calendar_data.retrieve(calendar, calendar_data.Wanted(limit_series=SPAN))
    properties = task_properties.TASK_PROPERTIES if calendar.kind == "VTODO" else APPOINTMENT_PROPERTIES
    content = calendar_properties.CalendarContent(calendar, frozenset({"a@b.test"}))
    before = content.octets()
    assert properties.write(content, properties.read(content)) == {} and content.octets() == before
    described = calendar_zones.with_all(octets, 2030)
    assert calendar_zones.with_all(described, 2030) == described
    for other in (described, calendar_zones.without_known(octets)):
        again = calendar_object.read(other)
        assert isinstance(again, CalendarObject) and len(again.parts) == len(calendar.parts)
    for attachment in attachments.of_calendar(calendar):
        assert (attachment.octets is None) is bool(attachment.uri)
    booking.decide(calendar, [], booking.Policy(), "", SPAN.start or 0, budget=Budget(5_000))
    asked = busy_request.read_request(octets, {"a@b.test", "a@x.test"})
    if isinstance(asked, busy_request.BusyRequest):
        for attendee in asked.attendees.values():
            assert b"METHOD:REPLY" in busy_request.answer(asked, attendee, [], 0, "x")
    start, end = SPAN.start or 0, SPAN.end or 0
    events = availability.events_of(calendar, start, end, UTC_ZONE, Budget(5_000), {"a@x.test"}, 50)
    wish = suggestions.Wish(worst=suggestions.Quality.POOR)
    attendee = suggestions.Attendee((events,))
    assert (
        len(suggestions.suggestions([attendee], start, start + 86_400, UTC_ZONE, working_hours.DEFAULT, wish, 0)) == 1
    )
    assert len(events) <= 50 and len(availability.merged_digits(events, start, start + 86_400, 3_600)) == 24
    periods = free_busy.free_busy([calendar], SPAN.start or 0, SPAN.end or 0, budget=budget)
    assert all(first.end <= second.start for first, second in pairwise(periods))


def _meeting(octets: bytes) -> None:
    """Two calendars with an empty line between them: a copy, and a message about it. The message applies at most once."""
    first, _, second = octets.partition(b"\r\n\r\n")
    stored, message = calendar_object.read(first), calendar_object.read(second)
    if not isinstance(stored, CalendarObject) or not isinstance(message, CalendarObject):
        return
    me = {"a@b.test"}
    for copy in (stored, None):
        applied = scheduling.apply(copy, message, me)
        if applied.action is copy_changes.Action.STORE:
            again = calendar_object.read(applied.octets)
            assert isinstance(again, CalendarObject) and not again.method
            if message.method in ("REQUEST", "CANCEL", "REPLY", "COUNTER", "DECLINECOUNTER"):
                assert scheduling.apply(again, message, me).action is not copy_changes.Action.STORE
    for before, after in ((stored, message), (stored, None), (None, stored)):
        organizing.organized(before, after, me, 0)
    for after in (message, None):
        organizing.answered(stored, after, "a@b.test", 0)
    organizing.forbidden_change(stored, message, me)
    organizing.invitation_of(stored, "b@b.test", 0)
    imip.plain_mail(imip.Letter("a@b.test", ["b@b.test"], "", "1", 0), stored.main.value("SUMMARY"))
    tag = schedule_tag.schedule_tag(stored, me)
    assert bool(tag) is (organizing.role_of(stored, me) is not organizing.Role.NONE)
    for before, after in ((stored, message), (None, stored), (stored, None)):
        judged = implicit_scheduling.intended(before, after, me, 0, keeps_answers=True)
        for sending in judged.sendings if isinstance(judged, implicit_scheduling.Intended) else ():
            assert b"SCHEDULE-STATUS" not in sending.octets or b"SCHEDULE-STATUS" in octets
            letters.letter(sending, "a@b.test", sending.addresses, "1@b.test", 0)
    implicit_scheduling.write_statuses(stored, organizing.Role.ORGANIZER, {"b@b.test": implicit_scheduling.SENT})
    carried = imip.invitation_in(imip.mail(imip.Letter("a@b.test", ["b@b.test"], "", "1", 0), message))
    assert carried is None or carried.method == message.method
    for made in (
        invitations.request(stored, 0),
        invitations.cancel(stored, 0, 1, me),
        invitations.reply(stored, "a@b.test", "ACCEPTED", 0),
        invitations.delegated(stored, "a@b.test", "c@b.test", 0),
        invitations.counter(stored, "a@b.test", stored.main, WHEN, WHEN, 0),
        invitations.decline_counter(stored, 0),
        invitations.refresh(stored, "a@b.test", 0),
    ):
        assert b"X-POSTERN" not in made or b"X-POSTERN" in first


def _event(octets: bytes) -> None:
    """Lines in an appointment that is sound but for them."""
    begin = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART:20260101T090000Z\r\n"
    _calendar(begin + octets + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")


def _card(octets: bytes) -> None:
    found_card = contact.read(octets)
    if not isinstance(found_card, Contact):
        return
    contact.check(found_card)
    properties = contact_properties.CONTACT_PROPERTIES
    before = found_card.card.root.octets()
    assert properties.write(found_card, properties.read(found_card)) == {}
    assert found_card.card.root.octets() == before
    properties.write(found_card, dict.fromkeys(each.property for each in properties))
    rendered = contact.render(found_card)
    stored.card_values(found_card)
    for value in (rendered.uid, rendered.name, rendered.organization, *rendered.emails, *rendered.telephones):
        value.encode("utf-8")
        assert "\0" not in value
    attachments.of_contact(found_card)
    for version in contact.VERSIONS:
        octets_of_card = card_data.retrieve(found_card, version)
        assert isinstance(octets_of_card, bytes)
        again = contact.read(octets_of_card)
        assert isinstance(again, Contact) and again.card.version == version
    match = TextMatch("a", Collation.UNICODE)
    card_query.matches(found_card, CardFilter((PropertyFilter("FN", texts=(match,)),)))


def _rule(octets: bytes) -> None:
    found_rule = rule.read_rule(octets.decode("latin-1"))
    if found_rule is None:
        return
    assert rule.read_rule(rule.written_rule(found_rule)) == found_rule
    budget = Budget(5_000)
    times = list(islice(expand(found_rule, START, budget), 20))
    assert times == sorted(set(times)) and all(time >= START for time in times)
    assert budget.left > -5_000


def _values(octets: bytes) -> None:
    value = octets.decode("utf-8", "surrogateescape")
    when = values.read_when(value)
    if when is not None:
        assert values.read_when(values.written(when)) == when
    span = values.read_span(value)
    if span is not None:
        total = span.days * 86_400 + span.seconds
        again = values.read_span(values.written_span(span))
        assert again is not None and again.days * 86_400 + again.seconds == total
    offset = values.read_offset(value)
    assert offset is None or values.read_offset(values.written_offset(offset)) == offset
    values.read_interval(value)
    zones.zone_named(value)
    uid_of_global_id(octets)
    for type_ in Type:
        property_values.decoded(type_, octets)


def _attached(octets: bytes) -> None:
    """A series with lines in it, and behind an empty line the occurrences to attach something to."""
    lines, _, names = octets.partition(b"\r\n\r\n")
    begin = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART:20260101T090000Z\r\nRRULE:FREQ=DAILY\r\n"
    calendar = calendar_object.read(begin + lines + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
    if not isinstance(calendar, CalendarObject):
        return
    before = {each.id for each in managed_attachments.managed(calendar)}
    new, other = (managed_attachments.Named(each * 32, f"https://a.test/{each * 32}-x") for each in "01")
    line = managed_attachments.attach_line(new, "a/b", names.decode("latin-1"), 1)
    occurrences = [name for name in names.decode("latin-1").split(",") if name]
    if managed_attachments.add(calendar, line, occurrences) is not None:
        return
    again = calendar_object.read(calendar.root.octets())
    assert isinstance(again, CalendarObject)
    assert {each.id for each in managed_attachments.managed(again)} == {*before, new.id}
    copy = calendar_object.read(again.root.octets())
    assert isinstance(copy, CalendarObject)
    assert managed_attachments.sizes_of(copy, {new.id: len(names)})[new.id] > len(names)
    managed_attachments.enclose(copy, {new.id: names})
    assert {each.id for each in managed_attachments.managed(copy)} == before - {new.id}
    assert names in [each.octets for each in attachments.of_calendar(copy)] or len(before) > 900
    assert managed_attachments.update(again, new.id, managed_attachments.attach_line(other, "a/b", "x", 1)) is None
    assert managed_attachments.remove(again, other.id) is None
    assert {each.id for each in managed_attachments.managed(again)} == before - {new.id, other.id}


def _hours(octets: bytes) -> None:
    """Working hours, and the numbers of a zone."""
    text = octets.decode("latin-1")
    hours = working_hours.read(text)
    if hours is not None:
        assert working_hours.read(working_hours.written(hours)) is not None
    with suppress(ValueError):
        assert 0 < working_hours.days_of(text.strip() or "Day") < 128
    with suppress(ValueError):
        zone = BiasZone.of_numbers([octet - 128 for octet in octets[:13]])
        assert BiasZone.of_numbers(zone.numbers) == zone
        zone.utc(zone.local(START.toordinal() * 86_400))


READERS = (_lines, _calendar, _event, _card, _rule, _values, _meeting, _attached, _hours)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
