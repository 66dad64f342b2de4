"""ResolveNames (MS-OXWSRSLNM section 3.1.4.1): who in the directory and among the contacts has a name that begins so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from postern.model.folders import FOLDER_CLASSES, FolderKind, is_class
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import is_true, m
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.versions import Version
from postern.services.ews import card_search, places
from postern.services.ews.access import Call
from postern.services.ews.card_search import FoundCard
from postern.services.ews.correspondents import contact_markup, mailbox_markup, of_entry
from postern.services.ews.operation import Batch, Warned
from postern.services.ews.places import Place
from postern.services.ews.rendering import Rendering, markup_of

MAX_RESULTS = 100
"""Resolutions of one entry (MS-OXWSRSLNM section 2.2.4.1)."""
MAX_ENTRIES = 100
SCOPES = {
    "ActiveDirectory": (True, False),
    "ActiveDirectoryContacts": (True, True),
    "Contacts": (False, True),
    "ContactsActiveDirectory": (True, True),
}
"""The scopes, with whether they have the directory, and the contacts."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError | Warned]:
    attributes = request.attributes
    scope = attributes.get("SearchScope", "ActiveDirectoryContacts")
    try:
        base = Base(attributes.get("ContactDataShape", Base.DEFAULT))
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None
    entries = request.find_all(m("UnresolvedEntry"))
    if scope not in SCOPES or not 0 < len(entries) <= MAX_ENTRIES:
        raise EwsError(Code.SCHEMA_VALIDATION)
    is_full = is_true(attributes.get("ReturnFullContactData", "false"))
    rendering = Rendering(Shape(base), call.header.version, listed=True) if is_full else None
    parents = request.find(m("ParentFolderIds"))
    place = await _folder(call, parents, scope)
    texts = [_text(each.text) for each in entries]
    asked = {text for text in texts if 0 < len(text) <= card_search.MAX_TEXT}
    contacts = await card_search.search(call, place, asked, MAX_RESULTS + 1) if place is not None and asked else {}
    for text in texts:
        yield await _resolved(call, text, scope, _Contacts(place, contacts.get(text, [])), rendering)


class _Contacts(NamedTuple):
    """The contacts that match a text, and their folder; None: contacts are not asked for."""

    place: Place | None
    matching: Sequence[FoundCard]


def _text(entry: str) -> str:
    text = " ".join(entry.split())
    return text[5:].strip() if text.lower().startswith("smtp:") else text


async def _folder(call: Call, parents: xml.Element | None, scope: str) -> Place | None:
    """The folder of contacts to look into: the one that the request names, else the caller's own. None: no contacts are asked
    for, or the caller has no mailbox and asks for the directory, too."""
    if not SCOPES[scope][1]:
        return None
    if parents is not None and parents.elements:
        if len(parents.elements) > 1:
            raise EwsError(Code.RESOLVE_NAMES_ONLY_ONE_CONTACTS_FOLDER_ALLOWED)
        place = await places.folder(call, parents.elements[0])
        if not is_class(place.node.folder_class, FOLDER_CLASSES[FolderKind.CONTACTS]):
            raise EwsError(Code.RESOLVE_NAMES_INVALID_FOLDER_TYPE)
        return place
    try:
        own = await call.own()
        return Place(own, await own.of_kind(FolderKind.CONTACTS))
    except EwsError:
        if not SCOPES[scope][0]:
            raise
        return None


async def _resolved(
    call: Call, text: str, scope: str, contacts_there: _Contacts, rendering: Rendering | None
) -> str | EwsError | Warned:
    if not text:
        return EwsError(Code.SCHEMA_VALIDATION)
    if len(text) > card_search.MAX_TEXT:
        return EwsError(Code.NAME_RESOLUTION_NO_RESULTS)
    people: list[str] = []
    if SCOPES[scope][0]:
        people += await _in_directory(call, text, rendering)
    is_before = scope == "ContactsActiveDirectory"
    if contacts_there.place is not None and (is_before or len(people) <= MAX_RESULTS):
        contacts = await _in_contacts(call, contacts_there.place, contacts_there.matching, rendering)
        people = contacts + people if is_before else people + contacts
    if not people:
        return EwsError(Code.NAME_RESOLUTION_NO_RESULTS)
    is_last = "true" if len(people) <= MAX_RESULTS else "false"
    people = people[:MAX_RESULTS]
    content = (
        f'<m:ResolutionSet TotalItemsInView="{len(people)}" IncludesLastItemInRange="{is_last}">{"".join(people)}'
        "</m:ResolutionSet>"
    )
    return content if len(people) == 1 else Warned(EwsError(Code.NAME_RESOLUTION_MULTIPLE_RESULTS), content)


async def _in_directory(call: Call, text: str, rendering: Rendering | None) -> list[str]:
    version, people = call.header.version, []
    entries = await call.access.directory.resolve(text, MAX_RESULTS + 1)
    exact = [entry for entry in entries if text.lower() in entry.addresses]
    for entry in exact or entries:
        contact = ""
        if rendering is not None and rendering.shape.base is not Base.ID_ONLY:
            contact = contact_markup(entry, version)
        people.append(f"<t:Resolution>{mailbox_markup(of_entry(entry), version)}{contact}</t:Resolution>")
    return people


async def _in_contacts(
    call: Call, place: Place, matching: Sequence[FoundCard], rendering: Rendering | None
) -> list[str]:
    """The contacts that match, once for each of their addresses; a list has none."""
    contacts: dict[int, str] = {}
    if rendering is not None:
        # A list is no Contact, and has no place in a Resolution.
        ids = [each.number for each in matching if each.rendered.kind != "group"]
        contacts = await markup_of(call, place.mailbox, ids, rendering)
    people = []
    for number, who, rendered in matching:
        for address in rendered.emails or [""]:
            if address or rendered.kind == "group":
                mailbox = mailbox_markup(who._replace(address=address), call.header.version)
                people.append(f"<t:Resolution>{mailbox}{contacts.get(number, '')}</t:Resolution>")
    return people


RESOLVE_NAMES = Batch("ResolveNames", Version.V2007, "MS-OXWSRSLNM 3.1.4.1", run)
