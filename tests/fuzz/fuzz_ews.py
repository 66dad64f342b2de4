"""Fuzz target for requests to Exchange Web Services: `python tests/fuzz/fuzz_ews.py -max_total_time=300`, with atheris.

The input is what stands in the body of an envelope, or a whole envelope. Each element of it is given to every reader.
"""

from __future__ import annotations

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
        availability,
        envelope,
        foreign_availability,
        ids,
        paths,
        recurrences,
        shapes,
        subscriptions,
        sync_states,
        time_zones,
        times,
    )
    from postern.protocols.ical.zones import UTC_ZONE
    from postern.services.ews import extended, kinds, places

from postern.protocols import xml
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import MESSAGES, SOAP, TYPES

_START = f'<s:Envelope xmlns:s="{SOAP}" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"><s:Body><m:x>'.encode()
_END = b"</m:x></s:Body></s:Envelope>"


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a reader does what it must not."""
    foreign_availability.read_answer(data, 0)
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
        *(shapes.read_shape, paths.read_paths, paths.read_path, extended.read, places.item_ref),
        *(time_zones.read_definition, time_zones.read_meeting_zone),
    ):
        with suppress(EwsError):
            read(element)
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
    for text in (element.text, *element.attributes.values()):
        kinds.kind_of(text)
        with suppress(EwsError):
            known_id = ids.read_id(text)
            assert ids.read_id(str(known_id)) == known_id
        with suppress(EwsError):
            assert ids.change_key(ids.read_change_key(text)) == text
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
            times.read_local(text)
            times.written(times.read_time(text))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
