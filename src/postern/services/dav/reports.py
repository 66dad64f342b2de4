"""REPORT: the way of each report to what answers it, and the short ones."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import aclosing
from http import HTTPStatus
from itertools import repeat
from typing import Any

from postern.model.resources import Resources
from postern.protocols.dav import multistatus
from postern.protocols.dav.bodies import BodyError
from postern.protocols.dav.fields import read_url
from postern.protocols.dav.multistatus import href_of
from postern.protocols.dav.names import caldav, carddav, dav, element
from postern.protocols.dav.reports import FreeBusyQuery, Multiget, Query, Report, SyncCollection, read_report
from postern.services.dav import calendar_query, card_query, live, nodes, principals, time_zones
from postern.services.dav.ahead import is_small, one_ahead
from postern.services.dav.data import Data
from postern.services.dav.folders import Collection
from postern.services.dav.live import Node, sync_token
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import Place, place_of
from postern.services.dav.propfind import AT_ONCE
from postern.services.dav.request import TOO_MANY, Answer, Refusal, Request, applied
from postern.services.dav.request import multistatus as answer_of
from postern.services.dav.resource_properties import ResourceResponses

BATCH = 500
"""Resources whose contents are read at a time."""
_PLAIN = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_@.~-]*+")
"""A name that stands for itself in an href, as most programs make them."""
MAX_CHANGES = 20_000
"""Changes that one sync-collection tells; then the client asks again."""


async def report(box: OwnMailbox, place: Place, request: Request) -> Answer:
    name, body = await _read(box, request)
    if isinstance(body, FreeBusyQuery):
        box.ask_when_busy()
    target = await nodes.find(box, place, with_state=not isinstance(body, Multiget | SyncCollection))
    collection = target.container if isinstance(target, nodes.Target) else target.collection
    node = target if isinstance(target, Node) else None
    if (node is not None and name not in live.reports_of(node)) or (node is None and name not in _OF_RESOURCES):
        raise Refusal(HTTPStatus.FORBIDDEN, element(dav("supported-report")))
    if isinstance(body, Multiget):
        assert collection is not None
        data = Data.of(body.properties, zones=time_zones.asked(request))
        return answer_of(_multiget(box, collection, body, data, request), applied(request.preferences))
    if isinstance(body, SyncCollection):
        assert collection is not None
        return await _sync(box, collection, body, request)
    if isinstance(body, Query):
        assert collection is not None
        if name == caldav("calendar-query"):
            return await calendar_query.query(box, collection, body, request)
        return await card_query.query(box, collection, body, request)
    if isinstance(body, FreeBusyQuery):
        assert collection is not None
        return await calendar_query.busy_times(box, collection, body)
    return await principals.answer(box, target, body, request)


async def _read(box: OwnMailbox, request: Request) -> tuple[str, Report]:
    """Reads the report. In a mailbox that is closed to the caller, whatever does not ask when its owner is busy is answered as
    for one that is not there."""
    try:
        name, body = read_report(await request.body(), request.charset)
    except (BodyError, Refusal):
        if not box.is_open:
            raise nodes.missing() from None
        raise
    if not box.is_open and not isinstance(body, FreeBusyQuery):
        raise nodes.missing()
    return name, body


_OF_RESOURCES = (
    dav("expand-property"),
    dav("acl-principal-prop-set"),
    caldav("calendar-multiget"),
    carddav("addressbook-multiget"),
)


async def _multiget(
    box: OwnMailbox, collection: Collection, body: Multiget, data: Data | None, request: Request
) -> AsyncIterator[str]:
    """Answers for each href in the order of the request (RFC 4791 section 7.9)."""
    writer = ResourceResponses(box, collection, body.properties, request.preferences)
    yield multistatus.BEGIN
    names = _names_of(box, collection, body.hrefs, request.host)
    batches = [names[start : start + BATCH] for start in range(0, len(names), BATCH)]
    asked = iter([[name for _, name in batch if name] for batch in batches])

    def ask(_: Resources | None) -> Coroutine[Any, Any, Resources] | None:
        wanted = next(asked, None)
        return None if wanted is None else box.store.named(box.id, collection.id, wanted, data is not None)

    written = iter(batches)
    async with aclosing(one_ahead(ask)) as pages:
        async for page in pages:
            resources = list(page)
            await writer.prepare(resources)
            by_name = {resource.name: resource for resource in resources}
            batch = next(written)
            for start in range(0, len(batch), AT_ONCE):
                part = batch[start : start + AT_ONCE]
                there = [by_name[name] for _, name in part if name in by_name]
                # Large contents are written one by one, each in memory alone.
                is_together = is_small([each.size for each in there]) and not (data is not None and data.is_expanding)
                steps = [part] if is_together else [[each] for each in part]
                for step in steps:
                    if data is not None and data.is_spent:
                        yield "".join([_over_limit(href) for href, _ in step])
                        continue
                    there = [by_name[name] for _, name in step if name in by_name]
                    markups = await data.markups(box, there) if data is not None else repeat("")
                    made = zip(there, writer.responses(there, markups), strict=True)
                    responses = {resource.name: response for resource, response in made}
                    yield "".join([responses.get(name) or _missing(href) for href, name in step])
    yield multistatus.END


def _over_limit(href: str) -> str:
    """Returns the response about a resource for which nothing is left of what one report may cost."""
    return _state(href, HTTPStatus.INSUFFICIENT_STORAGE, element(dav("number-of-matches-within-limits")))


def _missing(href: str) -> str:
    """Returns the response about an href that leads to nothing."""
    return _state(href, HTTPStatus.NOT_FOUND)


def _state(href: str, status: HTTPStatus, error: str = "") -> str:
    """Returns the response about an href, as the client knows it."""
    path = read_url(href)
    return multistatus.state(href_of(path if path is not None else href), status, error)


def _names_of(box: OwnMailbox, collection: Collection, hrefs: Sequence[str], host: str) -> list[tuple[str, str]]:
    """Returns each href with the name of its resource; "" for what is none of this collection."""
    path, length, is_plain = collection.path, len(collection.path), _PLAIN.fullmatch
    return [
        (
            href,
            href[length:]
            if href.startswith(path) and is_plain(href, length)
            else _name_of(box, collection, href, host),
        )
        for href in hrefs
    ]


def _name_of(box: OwnMailbox, collection: Collection, href: str, host: str) -> str:
    path = read_url(href, host)
    place = place_of(path) if path is not None else None
    inner = box.inner(place) if place is not None else None
    if inner is None or not inner.names or inner.space is not collection.kind.space:
        return ""
    container = f"{box.path_of(Place(inner.space, inner.address, inner.names[:-1]))}/"
    return inner.names[-1] if container == collection.path else ""


async def _sync(box: OwnMailbox, collection: Collection, body: SyncCollection, request: Request) -> Answer:
    """Tells what changed in a collection after a state that the client knows (RFC 6578 section 3). Depth is not looked at:
    drafts of the document had another one than the document, and clients send either."""
    since = _since(collection, body.token)
    most = min(body.limit or MAX_CHANGES, MAX_CHANGES)
    changes = await box.store.resource_changes(box.id, collection.id, since, most)
    if changes.change < since:
        raise _invalid_token()
    if body.limit and len(changes.there) + len(changes.gone) > body.limit:
        raise Refusal(HTTPStatus.FORBIDDEN, TOO_MANY)
    data = Data.of(body.properties, zones=time_zones.asked(request))

    async def pieces() -> AsyncIterator[str]:
        writer = ResourceResponses(box, collection, body.properties, request.preferences)
        yield multistatus.BEGIN
        resources = list(changes.there)
        for start in range(0, len(resources), BATCH if data is not None else MAX_CHANGES):
            batch = resources[start : start + BATCH] if data is not None else resources
            if data is not None:
                batch = list(await box.store.with_ids(box.id, [each.id for each in batch], True))
            await writer.prepare(batch)
            for resource in batch:
                if data is not None and data.is_spent:
                    yield _over_limit(collection.path + resource.name)
                    continue
                yield writer.response(resource, await data.markup(box, resource) if data is not None else "")
        base = href_of(collection.path)
        for name in changes.gone:
            yield multistatus.state(base + href_of(name), HTTPStatus.NOT_FOUND)
        if changes.more:
            yield multistatus.state(base, HTTPStatus.INSUFFICIENT_STORAGE, TOO_MANY)
        yield f"<D:sync-token>{sync_token(collection.id, changes.change)}</D:sync-token>{multistatus.END}"

    return answer_of(pieces(), applied(request.preferences))


def _since(collection: Collection, token: str) -> int:
    """Returns the change number of a token. Raises Refusal 403 for one that is not of this collection."""
    if not token:
        return 0
    prefix = f"data:,{collection.id}-"
    number = token.removeprefix(prefix)
    if not token.startswith(prefix) or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise _invalid_token()
    return int(number)


def _invalid_token() -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, element(dav("valid-sync-token")))
