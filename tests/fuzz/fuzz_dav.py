"""Fuzz target for DAV: `python tests/fuzz/fuzz_dav.py -max_total_time=300`, with atheris.

The first octet says which reader gets the rest: a body, or a field. Readers raise their own errors alone, and what is kept of a
body can stand in an answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(
        include=["postern.protocols.dav", "postern.protocols.xml", "postern.services.dav"]
    )
else:
    instrumented = nullcontext()

with instrumented:
    from postern.protocols import xml
    from postern.protocols.dav import bodies, conditions, fields, multistatus, names, reports
    from postern.services.dav import filters
    from postern.services.dav.places import place_of
    from postern.services.dav.request import Refusal

BODIES: tuple[Callable[[bytes], object], ...] = (
    bodies.read_propfind,
    bodies.read_proppatch,
    bodies.read_creation,
    bodies.read_lock,
    bodies.read_acl,
    reports.read_report,
)
FIELDS: tuple[Callable[[str], object], ...] = (
    lambda value: fields.read_depth(value, fields.Depth.ZERO),
    fields.read_overwrite,
    lambda value: fields.read_timeout(value, 1, 9),
    fields.read_lock_token,
    fields.read_preferences,
    conditions.read_if,
    lambda value: _url(value),
)


def _url(value: str) -> None:
    path = fields.read_url(value)
    if path is not None:
        assert path.startswith("/") and ".." not in path.split("/")
        place_of(path)
        href = multistatus.href_of(path)
        assert xml.text(href) == href
        if len(href) <= fields.MAX_URL:
            assert fields.read_url(href) == path


def _kept(result: object) -> None:
    """What a client sets can be told to everybody who asks."""
    changes = result if isinstance(result, list) else []
    for change in changes:
        if isinstance(change, bodies.Change):
            markup = names.element(change.name) if change.value is None else change.markup
            xml.read((multistatus.BEGIN + multistatus.properties("/", markup) + multistatus.END).encode())
    if isinstance(result, tuple):
        _report(*result)
    if isinstance(result, conditions.IfHeader):
        result.holds(lambda path: ('"x"', ()))


def _report(name: str, report: reports.Report) -> None:
    """What a query asks for is understood, or refused by its name."""
    if isinstance(report, reports.Query):
        with suppress(Refusal):
            filters.floating_zone(report.timezone, report.timezone_id)
        filters.kept_zone(report.timezone, report.timezone_id)
        for read in (filters.component_filter, filters.card_filter):
            with suppress(Refusal):
                read(report.filter)
        for part in report.properties.parts.values():
            for pick in (filters.calendar_data, filters.address_data):
                with suppress(Refusal):
                    pick(part)
    if isinstance(report, reports.FreeBusyQuery):
        with suppress(Refusal):
            filters.time_range(report.start, report.end)


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a reader does what it must not."""
    if not data:
        return
    which, rest = data[0], data[1:]
    with suppress(bodies.BodyError, fields.FieldError):
        if which % 2:
            _kept(FIELDS[which // 2 % len(FIELDS)](rest.decode("latin-1")))
        else:
            _kept(BODIES[which // 2 % len(BODIES)](rest))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
