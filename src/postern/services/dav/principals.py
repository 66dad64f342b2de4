"""The reports about principals (RFC 3744 section 9) and expand-property (RFC 3253 section 3.8). A caller sees himself and
those who share something with him."""

from __future__ import annotations

import re
from http import HTTPStatus

from postern.protocols import xml
from postern.protocols.dav import multistatus
from postern.protocols.dav.bodies import PropFind, Wanted
from postern.protocols.dav.fields import Preferences, read_url
from postern.protocols.dav.multistatus import href_of
from postern.protocols.dav.names import DECLARATIONS, caldav, calendar_server, dav, element
from postern.protocols.dav.reports import (
    AclPrincipals,
    ExpandProperty,
    Expansion,
    PrincipalMatch,
    PrincipalSearch,
    PrincipalSearchPropertySet,
    PropertySearch,
    Report,
)
from postern.services.dav import live, nodes
from postern.services.dav.live import Level, Node
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import Space, place_of, principal_path
from postern.services.dav.propfind import ask, node_response, preferences_of
from postern.services.dav.request import Answer, Refusal, Request, document, whole
from postern.services.dav.resource_properties import ResourceResponses
from postern.services.dav.shared import owners, resolve

SEARCHED = {
    dav("displayname"): "Name",
    calendar_server("email-address-set"): "E-mail address",
    caldav("calendar-user-address-set"): "Calendar address",
}
MAX_FOLLOWED = 200
"""Hrefs that one expand-property follows."""
_TEXT = re.compile(r">([^<>]++)<")
_HREF = re.compile(r"<D:href>([^<]*+)</D:href>")


async def answer(box: OwnMailbox, target: Node | nodes.Target, body: Report, request: Request) -> Answer:
    preferences = preferences_of(request)
    if isinstance(body, ExpandProperty):
        await box.measure()
        await box.look(grants=True, shares=True)
        return whole(
            multistatus.BEGIN + await _Expansions(box, preferences).response(target, body.properties) + multistatus.END
        )
    if isinstance(body, PrincipalSearchPropertySet):
        return document(HTTPStatus.OK, _searched())
    if not isinstance(body, PrincipalSearch | AclPrincipals | PrincipalMatch):
        raise Refusal(HTTPStatus.FORBIDDEN, element(dav("supported-report")))
    await ask(box, body.properties)
    if isinstance(body, PrincipalSearch):
        candidates = [_of(box.me), *(_of(other) for other in await owners(box.me))]
        fitting = [node for node in candidates if _fits_all(node, body)]
    elif isinstance(body, AclPrincipals):
        # The access control list of what is above the homes names no principal by its href.
        is_owned = isinstance(target, nodes.Target) or target.level in (Level.PRINCIPAL, Level.HOME, Level.COLLECTION)
        fitting = [_of(box)] if is_owned else []
    else:
        fitting = [_of(box.me)]
    responses = "".join(node_response(node, body.properties, preferences) for node in fitting)
    return whole(multistatus.BEGIN + responses + multistatus.END)


def _of(box: OwnMailbox) -> Node:
    return Node(Level.PRINCIPAL, Space.PRINCIPALS, principal_path(box.address), box)


def _fits_all(node: Node, body: PrincipalSearch) -> bool:
    results = [_fits(node, search) for search in body.searches]
    return any(results) if body.any_of and results else all(results)


def _searched() -> str:
    entries = "".join(
        f"<D:principal-search-property><D:prop>{element(name)}</D:prop>"
        f'<D:description xml:lang="en">{text}</D:description></D:principal-search-property>'
        for name, text in SEARCHED.items()
    )
    return f"<D:principal-search-property-set{DECLARATIONS}>{entries}</D:principal-search-property-set>"


def _fits(node: Node, search: PropertySearch) -> bool:
    """Whether one of the properties has the text. A property that cannot be searched has it not."""
    text = xml.text(search.text).casefold()
    for name in search.names:
        markup = live.present(node, name) if name in SEARCHED else None
        for value in _TEXT.findall(markup or ""):
            value = value.casefold()
            if search.starts and search.ends:
                fits = value == text
            elif search.starts or search.ends:
                fits = value.startswith(text) if search.starts else value.endswith(text)
            else:
                fits = text in value
            if fits:
                return True
    return False


class _Expansions:
    """Follows the hrefs in properties, MAX_FOLLOWED at most."""

    def __init__(self, box: OwnMailbox, preferences: Preferences) -> None:
        self._box = box
        self._preferences = preferences
        self._left = MAX_FOLLOWED

    async def response(self, target: Node | nodes.Target, expansions: tuple[Expansion, ...]) -> str:
        """Returns the response about a thing, with the responses about what its properties lead to within them."""
        present: list[str] = []
        missing: list[str] = []
        for expansion in expansions:
            markup = await self._markup(target, expansion.name)
            if markup is None:
                missing.append(element(expansion.name))
            elif expansion.of and _HREF.search(markup):
                inner = [await self._followed(href, expansion.of) for href in _HREF.findall(markup)]
                present.append(element(expansion.name, "".join(inner)))
            else:
                present.append(markup)
        path = href_of(target.path)
        return multistatus.properties(path, "".join(present), "".join(missing), self._preferences.is_minimal)

    async def _markup(self, target: Node | nodes.Target, name: str) -> str | None:
        if isinstance(target, Node):
            return live.present(target, name)
        writer = ResourceResponses(self._box, target.container, PropFind(Wanted.NAMED, (name,)), Preferences(True))
        await writer.prepare([target.resource])
        response = writer.response(target.resource)
        markup = response.partition("<D:prop>")[2].partition("</D:prop>")[0]
        return markup or None

    async def _followed(self, href: str, expansions: tuple[Expansion, ...]) -> str:
        self._left -= 1
        path = read_url(href)
        place = place_of(path) if path is not None else None
        if place is None or self._left < 0:
            return multistatus.state(href, HTTPStatus.NOT_FOUND)
        try:
            box, place = await resolve(self._box.me, place)
            return await self.response(await nodes.find(box, place), expansions)
        except Refusal as refusal:
            return multistatus.state(href, refusal.status)
