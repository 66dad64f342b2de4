"""Fuzz target for requests to Exchange Web Services: `python tests/fuzz/fuzz_ews.py -max_total_time=300`, with atheris.

The input is what stands in the body of an envelope, or a whole envelope. Each element of it is given to every reader.
"""

from __future__ import annotations

import base64
import sys
from contextlib import nullcontext, suppress
from datetime import datetime

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.protocols.ews", "postern.services.ews"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.protocols.ews import (
        alternate_ids,
        availability,
        conditions,
        envelope,
        exported,
        foreign_availability,
        ids,
        paths,
        query_strings,
        recurrences,
        regenerations,
        shapes,
        subscriptions,
        sync_states,
        time_zones,
        times,
        user_configurations,
        views,
    )
    from postern.protocols.ical.zones import UTC_ZONE
    from postern.services.ews import (
        attendees,
        conversation_index,
        extended,
        finding,
        item_values,
        judging,
        kinds,
        places,
        store_terms,
    )
    from postern.services.http import outgoing
    from postern.services.mailbox import working_hours

from postern.protocols import xml
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import MESSAGES, SOAP, TYPES

_START = f'<s:Envelope xmlns:s="{SOAP}" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"><s:Body><m:x>'.encode()
_END = b"</m:x></s:Body></s:Envelope>"


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a reader does what it must not."""
    foreign_availability.read_answer(data, 0)
    working_hours.text_in({1: data}, 1)
    with suppress(EwsError):
        subscriptions.read_result(data)
    for octets in (data, _START + data + _END):
        try:
            request = envelope.read(octets)
        except envelope.Fault as fault:
            xml.read(envelope.fault(fault))
            continue
        for element in request.body.walk():
            _read(element)


def _read(element: xml.Element) -> None:
    for read in (
        shapes.read_shape,
        paths.read_paths,
        paths.read_path,
        extended.read,
        places.item_ref,
        subscriptions.read_events,
        user_configurations.read_name,
        user_configurations.read_configuration,
        *(shapes.read_shape, paths.read_paths, paths.read_path, extended.read, places.item_ref),
        *(time_zones.read_definition, time_zones.read_meeting_zone, attendees.read_attendees),
    ):
        with suppress(EwsError):
            read(element)
    for read_part in (views.read_view, views.read_order, views.read_grouping):
        with suppress(EwsError):
            read_part(element)
    with suppress(EwsError):
        _searched(conditions.read_restriction(element))
    for zone in (None, UTC_ZONE):
        with suppress(EwsError):
            assert availability.read_request(element, zone).mailboxes
    with suppress(EwsError):
        zone_read = availability.read_zone(element)
        zone_read.utc(zone_read.local(0))
    with suppress(EwsError):
        known = paths.read_path(element)
        again = xml.read(f'<t:x xmlns:t="{TYPES}">{paths.path_markup(known)}</t:x>'.encode()).elements
        assert paths.read_path(again[0]) == known
    with suppress(EwsError):
        recurrence = recurrences.read_recurrence(element)
        told = recurrences.recurrence_markup(recurrence.rule, datetime(2026, 1, 31))
        assert told, recurrence
    with suppress(EwsError):
        (rule, first), regenerates = regenerations.read_task_recurrence(element)
        assert regenerations.task_recurrence_markup(rule, regenerates, datetime.combine(first, datetime.min.time()))
    for text in (element.text, *element.attributes.values()):
        target = outgoing.target_of(text)
        assert target is None or (target.host and target.path.startswith(("/", "?")))
        kinds.kind_of(text)
        conversation_index.number_of(text.encode())
        with suppress(EwsError):
            known_id = ids.read_id(text)
            assert ids.read_id(str(known_id)) == known_id
        for form in alternate_ids.IdFormat:
            with suppress(EwsError):
                known_id = alternate_ids.read_alternate(form, text)
                again_id = alternate_ids.read_alternate(form, alternate_ids.written_alternate(form, known_id))
                assert again_id == known_id
        with suppress(EwsError):
            assert ids.change_key(ids.read_change_key(text)) == text
        with suppress(EwsError):
            _searched(query_strings.read_query(text, 1_796_000_000))
        finding.in_mail(text)
        for read_state in (sync_states.read_items_state, sync_states.read_folders_state):
            with suppress(EwsError):
                state = read_state(text)
                assert read_state(str(state)) == state
        with suppress(EwsError):
            seconds = time_zones.read_duration(text)
            assert time_zones.read_duration(time_zones.written_duration(seconds)) == seconds
        with suppress(EwsError):
            subscription = subscriptions.read_subscription(text)
            assert subscriptions.read_subscription(str(subscription)) == subscription
        with suppress(EwsError):
            watermark = subscriptions.read_watermark(text)
            assert subscriptions.read_watermark(str(watermark)) == watermark
        with suppress(EwsError):
            subscriptions.read_minutes(text)
        with suppress(EwsError):
            item = exported.read(text)
            assert exported.read(base64.b64encode(exported.write(item)).decode()) == item
        with suppress(EwsError):
            times.read_local(text)
            times.written(times.read_time(text))


def _searched(condition: conditions.Condition | None) -> None:
    """Puts a condition to the store, and judges a text by it: what the store finds exactly is not said otherwise here."""
    if condition is None:
        return
    for is_mail in (True, False):
        store_terms.pushed(condition, item_values.named_by_schema, is_mail)
    judging.paths_of(condition)
    conditions.with_times(condition, lambda text: f"{text}Z")
    judging.judge(condition, lambda path: item_values.texts_of)("<a>2026-11-30T00:00:00Z</a><b>12</b><c>text</c>")
    judging.key_of(repr(condition))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
