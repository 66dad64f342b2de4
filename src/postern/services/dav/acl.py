"""ACL (RFC 3744 section 8.1). Nothing can be granted to others yet: each of them says so."""

from __future__ import annotations

from http import HTTPStatus

from postern.protocols.dav.bodies import read_acl
from postern.protocols.dav.fields import read_url
from postern.protocols.dav.names import dav, element
from postern.services.dav import nodes
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import Place, Space, place_of
from postern.services.dav.request import Answer, Refusal, Request


async def change(box: OwnMailbox, place: Place, request: Request) -> Answer:
    """Takes a list that leaves the owner what he has, and refuses any other: with `grant-only`, `no-invert` or
    `allowed-principal`."""
    entries = read_acl(await request.body(), request.charset)
    await nodes.find(box, place)
    if not place.address:
        raise Refusal(HTTPStatus.FORBIDDEN, element(dav("need-privileges")))
    for entry in entries:
        if entry.denies:
            raise Refusal(HTTPStatus.FORBIDDEN, element(dav("grant-only")))
        if entry.inverted:
            raise Refusal(HTTPStatus.FORBIDDEN, element(dav("no-invert")))
        if not _is_owner(box, entry.principal, request.host):
            raise Refusal(HTTPStatus.FORBIDDEN, element(dav("allowed-principal")))
    return Answer(HTTPStatus.OK)


def _is_owner(box: OwnMailbox, principal: str, host: str) -> bool:
    if principal == dav("owner"):
        return True
    path = read_url(principal, host)
    place = place_of(path) if path is not None else None
    return place is not None and place.space is Space.PRINCIPALS and bool(place.address) and box.is_mine(place.address)
