"""Managed attachments in invitations to guests elsewhere: they cannot log on to follow a URI, and so a small file goes along.

Guests of the organization get the same message with the URI.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.managed_attachments import enclose, managed, sizes_of
from postern.items.organizing import Sending
from postern.model.domains import fold
from postern.services.dav import attached
from postern.services.dav.mailbox import OwnMailbox
from postern.services.scheduling.aside import aside

MAX_ENCLOSED = 2 << 20
"""Octets of the files that are put into the messages about one change. Many servers take no mail of more than 10 MB."""
_INVITES = frozenset({"REQUEST", "ADD"})


async def for_guests(box: OwnMailbox, sendings: Sequence[Sending]) -> list[Sending]:
    """Returns the messages, those for guests elsewhere apart and with small files in them."""
    domains = box.access.domains()
    result: list[Sending] = []
    room = MAX_ENCLOSED
    for sending in sendings:
        guests = tuple(each for each in sending.addresses if fold(each).rpartition("@")[2] not in domains)
        octets = await _enclosed(box, sending.octets, room) if guests and sending.method in _INVITES else None
        if octets is None:
            result.append(sending)
            continue
        room -= len(octets) - len(sending.octets)
        others = tuple(each for each in sending.addresses if each not in guests)
        if others:
            result.append(sending._replace(addresses=others))
        result.append(sending._replace(addresses=guests, octets=octets))
    return result


async def _enclosed(box: OwnMailbox, octets: bytes, room: int) -> bytes | None:
    """A message with the files that there is room for; None where there is none to put in."""
    if not attached.may_name(octets) or await attached.folder_of(box) is None:
        return None
    calendar = await aside(octets, lambda: calendar_object.read(octets))
    if isinstance(calendar, Refused):
        return None
    names = {each.id: name for each in managed(calendar) if (name := attached.name_here(box, each)) is not None}
    there = {id_: resource for id_, name in names.items() for resource in await attached.stored(box, [name], False)}
    chosen: list[str] = []
    for id_, size in sizes_of(calendar, {id_: resource.size for id_, resource in there.items()}).items():
        if size <= room:
            chosen.append(id_)
            room -= size
    if not chosen:
        return None
    contents: dict[str, bytes] = {}
    for id_ in chosen:
        for resource in await attached.stored(box, [names[id_]], True):
            contents[id_] = resource.content or b""
    return await aside(octets, partial(_with_files, calendar, contents))


def _with_files(calendar: CalendarObject, contents: dict[str, bytes]) -> bytes:
    enclose(calendar, contents)
    return calendar.root.octets()
