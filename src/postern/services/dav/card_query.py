"""addressbook-query (RFC 6352 section 8.6)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from http import HTTPStatus

from postern.items import card_query, contact
from postern.items.calendar_object import Refused
from postern.items.filters import CardFilter
from postern.model.resources import Resource
from postern.protocols.dav import multistatus
from postern.protocols.dav.multistatus import href_of
from postern.protocols.dav.reports import Query
from postern.services.dav import address_search, filters
from postern.services.dav.address_list import TooMany
from postern.services.dav.data import Data
from postern.services.dav.folders import Collection
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.octets import content_of
from postern.services.dav.propfind import PAGE
from postern.services.dav.request import TOO_MANY, Answer, Request, applied
from postern.services.dav.request import multistatus as answer_of
from postern.services.dav.resource_properties import ResourceResponses
from postern.services.scheduling.aside import aside

BATCH = 250
"""Cards whose contents are read at a time."""


async def query(box: OwnMailbox, collection: Collection, body: Query, request: Request) -> Answer:
    wanted = filters.card_filter(body.filter)
    data = Data.of(body.properties)
    preferences = request.preferences
    writer = ResourceResponses(box, collection, body.properties, preferences)

    async def pieces() -> AsyncIterator[str]:
        count = 0
        yield multistatus.BEGIN
        if collection.is_address_list:
            matching = address_search.matching(box, wanted)
        else:
            matching = _matching(box, collection, wanted, data is not None, writer)
        try:
            async with aclosing(matching):
                async for resource in matching:
                    if body.limit and count == body.limit:
                        raise TooMany
                    count += 1
                    yield writer.response(resource, await data.markup(box, resource) if data is not None else "")
        except TooMany:
            yield multistatus.state(href_of(collection.path), HTTPStatus.INSUFFICIENT_STORAGE, TOO_MANY)
        yield multistatus.END

    return answer_of(pieces(), applied(preferences))


async def _matching(
    box: OwnMailbox, collection: Collection, wanted: CardFilter, with_content: bool, writer: ResourceResponses
) -> AsyncGenerator[Resource, None]:
    """Gives the cards that are wanted; their contents come along where they were read, or `with_content`."""
    async for page in box.pages(collection.id, PAGE):
        resources = list(page)
        for start in range(0, len(resources), BATCH):
            batch = resources[start : start + BATCH]
            if with_content or wanted.properties:
                batch = list(await box.store.with_ids(box.id, [each.id for each in batch], True))
            await writer.prepare(batch)
            for resource in batch:
                if not wanted.properties or await _fits(box, resource, wanted):
                    yield resource


async def _fits(box: OwnMailbox, resource: Resource, wanted: CardFilter) -> bool:
    content = await content_of(box, resource)

    def work() -> bool:
        card = contact.read(content)
        return not isinstance(card, Refused) and card_query.matches(card, wanted)

    return await aside(content, work)
