"""The reports about principals (RFC 3744 section 9; others: `principal_search`) and expand-property (RFC 3253 section 3.8)."""

from __future__ import annotations

import re
from http import HTTPStatus

from postern.protocols.dav import multistatus
from postern.protocols.dav.bodies import PropFind, Wanted
from postern.protocols.dav.fields import Preferences, read_url
from postern.protocols.dav.multistatus import href_of
from postern.protocols.dav.names import DECLARATIONS, dav, element
from postern.protocols.dav.reports import (
    AclPrincipals,
    ExpandProperty,
    Expansion,
    PrincipalMatch,
    PrincipalSearch,
    PrincipalSearchPropertySet,
    PrincipalTokens,
    Report,
)
from postern.services.dav import live, nodes, principal_search
from postern.services.dav.live import Level, Node
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import Space, place_of, principal_path
from postern.services.dav.propfind import ask, node_response
from postern.services.dav.request import TOO_MANY, Answer, Refusal, Request, document, whole
from postern.services.dav.resource_properties import ResourceResponses
from postern.services.dav.shared import resolve

MAX_FOLLOWED = 200
"""Hrefs that one expand-property follows."""
_HREF = re.compile(r"<D:href>([^<]*+)</D:href>")


async def answer(box: OwnMailbox, target: Node | nodes.Target, body: Report, request: Request) -> Answer:
    preferences = request.preferences
    if isinstance(body, ExpandProperty):
        await box.measure()
        await box.look(grants=True, shares=True)
        return whole(
            multistatus.BEGIN + await _Expansions(box, preferences).response(target, body.properties) + multistatus.END
        )
    if isinstance(body, PrincipalSearchPropertySet):
        return document(HTTPStatus.OK, _searched())
    if isinstance(body, (PrincipalSearch, PrincipalTokens)):
        await box.look(shares=True)
        search = (
            principal_search.search(box.me, body)
            if isinstance(body, PrincipalSearch)
            else principal_search.search_tokens(box.me, body)
        )
        return _found(request.path, *await search, body.properties, preferences)
    if not isinstance(body, (AclPrincipals, PrincipalMatch)):
        raise Refusal(HTTPStatus.FORBIDDEN, element(dav("supported-report")))
    await ask(box, body.properties)
    who = box if isinstance(body, AclPrincipals) else box.me
    matches: list[Node] = []
    # The access control list of what is above the homes names no principal by its href.
    if isinstance(body, PrincipalMatch) or isinstance(target, nodes.Target) or target.level in _OWNED:
        matches = [Node(Level.PRINCIPAL, Space.PRINCIPALS, principal_path(who.address), who)]
    return _found(request.path, matches, False, body.properties, preferences)


_OWNED = (Level.PRINCIPAL, Level.HOME, Level.COLLECTION)


def _found(path: str, matches: list[Node], more: bool, wanted: PropFind, preferences: Preferences) -> Answer:
    responses = [node_response(node, wanted, preferences) for node in matches]
    if more:
        responses.append(multistatus.state(href_of(path), HTTPStatus.INSUFFICIENT_STORAGE, TOO_MANY))
    return whole(multistatus.BEGIN + "".join(responses) + multistatus.END)


def _searched() -> str:
    entries = "".join(
        f"<D:principal-search-property><D:prop>{element(name)}</D:prop>"
        f'<D:description xml:lang="en">{text}</D:description></D:principal-search-property>'
        for name, text in principal_search.SEARCHED.items()
    )
    return f"<D:principal-search-property-set{DECLARATIONS}>{entries}</D:principal-search-property-set>"


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
