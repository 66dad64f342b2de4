"""ACL (RFC 3744 section 8.1): grants rights in a calendar or an address book to users, to groups, and to everybody.

A list replaces all that was granted before. `DAV:authenticated` stands for everybody who has no entry of his own. Denials and
entries for those who are not logged on cannot be kept, and are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

from postern.model.directory import DirectoryUnavailable
from postern.model.folders import ANONYMOUS, EVERYBODY, Right
from postern.model.sharing import DEFAULT_RIGHTS
from postern.protocols.dav.bodies import Ace, read_acl
from postern.protocols.dav.fields import read_url
from postern.protocols.dav.names import dav, element
from postern.services.dav import nodes, privileges
from postern.services.dav.folders import Collection
from postern.services.dav.guarded import need_privileges
from postern.services.dav.mailbox import OwnMailbox, unavailable
from postern.services.dav.places import Place, Space, place_of
from postern.services.dav.request import Answer, Refusal, Request
from postern.services.dav.shared import SHARED


async def change(box: OwnMailbox, place: Place, request: Request) -> Answer:
    """Sets the rights in a collection. Of anything else it takes only the list that leaves the owner what he has. Raises
    Refusal 403 with what cannot be: `grant-only`, `no-invert`, `allowed-principal`, `not-supported-privilege`."""
    entries = read_acl(await request.body(), request.charset)
    target = await nodes.find(box, place)
    if not place.address:
        raise need_privileges()
    for entry in entries:
        if entry.denies:
            raise Refusal(HTTPStatus.FORBIDDEN, element(dav("grant-only")))
        if entry.inverted:
            raise Refusal(HTTPStatus.FORBIDDEN, element(dav("no-invert")))
    collection = None if isinstance(target, nodes.Target) else target.collection
    if not box.is_whole and (collection is None or not box.rights(collection.node) & Right.OWNER):
        raise need_privileges()
    others = [entry for entry in entries if not _is_owner(box, entry.principal, request.host)]
    if collection is None or collection.kind not in SHARED:
        if others:
            raise Refusal(HTTPStatus.FORBIDDEN, element(dav("allowed-principal")))
        return Answer(HTTPStatus.OK)
    try:
        await _set(box, collection, await _wanted(box, others, request.host))
    except DirectoryUnavailable:
        raise unavailable() from None
    return Answer(HTTPStatus.OK)


async def _wanted(box: OwnMailbox, entries: Sequence[Ace], host: str) -> dict[UUID, Right]:
    """Returns the rights that a list grants, by grantee."""
    wanted: dict[UUID, Right] = {}
    for entry in entries:
        grantee = EVERYBODY if entry.principal == dav("authenticated") else await _grantee(box, entry.principal, host)
        if grantee is None:
            raise Refusal(HTTPStatus.FORBIDDEN, element(dav("allowed-principal")))
        rights = privileges.rights_of(entry.grants)
        if rights is None:
            raise Refusal(HTTPStatus.FORBIDDEN, element(dav("not-supported-privilege")))
        wanted[grantee] = wanted.get(grantee, Right(0)) | rights
    return wanted


async def _set(box: OwnMailbox, collection: Collection, wanted: dict[UUID, Right]) -> None:
    """Replaces what is granted in a collection. Where everybody had a default and the list does not name it, it is denied."""
    sharing, node = box.access.sharing, collection.node
    if DEFAULT_RIGHTS.get(node.kind) == wanted.get(EVERYBODY, Right(0)):
        wanted.pop(EVERYBODY, None)
    elif node.kind in DEFAULT_RIGHTS:
        wanted.setdefault(EVERYBODY, Right(0))
    before = (await sharing.grants(box.recipient)).folders.get(node.id, {})
    for grantee, rights in wanted.items():
        if before.get(grantee) != rights:
            await sharing.set_rights(box.recipient, node.id, grantee, rights)
    for grantee in before.keys() - wanted.keys() - {ANONYMOUS}:
        await sharing.set_rights(box.recipient, node.id, grantee, None)
    box.forget()


def _address(principal: str, host: str) -> str:
    """Returns the address in the path of a principal; "" for what is none."""
    path = read_url(principal, host)
    place = place_of(path) if path is not None else None
    return place.address if place is not None and place.space is Space.PRINCIPALS else ""


def _is_owner(box: OwnMailbox, principal: str, host: str) -> bool:
    return principal == dav("owner") or box.is_mine(_address(principal, host))


async def _grantee(box: OwnMailbox, principal: str, host: str) -> UUID | None:
    address = _address(principal, host)
    return await box.access.sharing.grantee(address.lower()) if address else None
