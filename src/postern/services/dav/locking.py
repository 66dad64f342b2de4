"""LOCK and UNLOCK (RFC 4918 sections 9.10 and 9.11), of documents."""

from __future__ import annotations

from http import HTTPStatus

from postern.model.mailbox import MailboxError
from postern.model.resources import ABSENT
from postern.protocols.dav.bodies import read_lock
from postern.protocols.dav.fields import Depth, read_depth, read_lock_token, read_timeout
from postern.protocols.dav.names import DECLARATIONS
from postern.services.dav import contents, folders, locks, nodes
from postern.services.dav.locks import DEFAULT_SECONDS, MAX_SECONDS, Lock, discovery
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.meetings import Plan
from postern.services.dav.places import Place, Space, path_in
from postern.services.dav.request import Answer, Refusal, Request, document, not_allowed
from postern.services.dav.resources import store
from postern.services.dav.writing import check_if, held_and_if


async def lock(box: OwnMailbox, place: Place, request: Request) -> Answer:
    """Takes or refreshes a lock. A document that is not there is made, empty (RFC 4918 section 7.3)."""
    _check(place)
    wanted = read_lock(await request.body(), request.charset)
    depth = read_depth(request.field("depth"), Depth.INFINITY)
    seconds = read_timeout(request.field("timeout"), DEFAULT_SECONDS, MAX_SECONDS)
    if depth is Depth.ONE:
        raise Refusal(HTTPStatus.BAD_REQUEST, text="A lock has depth 0 or infinity")
    collection = await folders.files_folder(box, place.names)
    within = await folders.container_of(box, place)
    container = collection or (within[0] if within is not None else None)
    if container is None:
        raise Refusal(HTTPStatus.CONFLICT)
    held, condition = await held_and_if(box, request, container)
    resource = None if collection is not None or within is None else await nodes.resource_in(box, *within)
    path = path_in(place, box.address)
    await check_if(box, condition, held, path, resource)
    if wanted is None:
        return _answer(HTTPStatus.OK, await locks.refresh(box, path, condition, seconds))
    status = HTTPStatus.OK
    is_new = collection is None and resource is None
    if is_new and within is not None:
        if place.is_slashed:
            raise Refusal(HTTPStatus.CONFLICT)
        held.check(path, condition.tokens, members=True)
    taken = await locks.take(box, path, wanted, depth, seconds)
    if is_new and within is not None:
        try:
            await store(box, *within, Plan(contents.examine(container, b"")), ABSENT, None)
        except (MailboxError, Refusal):
            await locks.release(box, path, taken.token)  # else nobody has its token, and it stays
            raise
        status = HTTPStatus.CREATED
    return _answer(status, taken)


def _check(place: Place) -> None:
    if place.space is not Space.FILES or not place.address:
        raise not_allowed()


def _answer(status: HTTPStatus, taken: Lock) -> Answer:
    body = f"<D:prop{DECLARATIONS}><D:lockdiscovery>{discovery([taken])}</D:lockdiscovery></D:prop>"
    return document(status, body, [(b"lock-token", f"<{taken.token}>".encode())])


async def unlock(box: OwnMailbox, place: Place, request: Request) -> Answer:
    _check(place)
    token = read_lock_token(request.field("lock-token"))
    await locks.release(box, path_in(place, box.address), token)
    return Answer(HTTPStatus.NO_CONTENT)
