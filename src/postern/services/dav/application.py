"""The ASGI application of DAV: it opens the caller's mailbox and gives each request to its method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from postern.model.directory import DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.protocols.dav.bodies import BodyError
from postern.protocols.dav.fields import FieldError
from postern.protocols.dav.names import dav, element
from postern.services.dav import (
    acl,
    address_list,
    creation,
    folders,
    locking,
    managed_attachments,
    nodes,
    placing,
    propfind,
    proppatch,
    reports,
    resources,
    schedule_outbox,
)
from postern.services.dav.live import Node
from postern.services.dav.mailbox import DavAccess, OwnMailbox, own_mailbox, unavailable
from postern.services.dav.places import Place, Space, place_of
from postern.services.dav.request import Answer, ClientLeft, Refusal, Request, refused
from postern.services.dav.shared import resolve
from postern.services.http.answers import allow
from postern.services.http.long_bodies import LongBodies
from postern.services.http.site import Receive, Scope, Send
from postern.telemetry.log import Event, log

_CLASSES = b", ".join(
    (
        b"1, 3, access-control, calendar-access, calendar-auto-schedule, calendar-proxy, addressbook, extended-mkcol",
        b"calendar-managed-attachments, calendar-no-timezone",
    )
)
_FILE_CLASSES = b"1, 2, 3, access-control, extended-mkcol"
"""The compliance classes of documents, which can be locked (RFC 4918 section 18)."""
Method = Callable[[OwnMailbox, Place, Request], Awaitable[Answer]]


async def _options(box: OwnMailbox, place: Place, request: Request) -> Answer:
    is_file = place.space is Space.FILES
    methods = METHODS - {"POST", "MKCALENDAR"} if is_file else METHODS - {"LOCK", "UNLOCK"}
    return Answer(
        HTTPStatus.OK,
        [
            allow(methods),
            (b"dav", _FILE_CLASSES if is_file else _CLASSES),
            (b"ms-author-via", b"DAV"),
            (b"accept-ranges", b"bytes"),
        ],
    )


async def _delete(box: OwnMailbox, place: Place, request: Request) -> Answer:
    target = await nodes.find(box, place)
    if isinstance(target, Node):
        return await creation.delete(box, target, request)
    return await resources.delete(box, target.container, target.resource.name, request)


async def _post(box: OwnMailbox, place: Place, request: Request) -> Answer:
    if place.space is Space.CALENDARS and place.names == (folders.OUTBOX,):
        return await schedule_outbox.post(box, request)
    if "action=" in request.query:
        return await managed_attachments.post(box, place, request)
    return await resources.post(box, place, request)


_METHODS: Mapping[str, Method] = {
    "OPTIONS": _options,
    "GET": resources.get,
    "HEAD": resources.get,
    "PUT": resources.put,
    "POST": _post,
    "DELETE": _delete,
    "PROPFIND": propfind.propfind,
    "PROPPATCH": proppatch.proppatch,
    "MKCOL": creation.create,
    "MKCALENDAR": creation.create,
    "COPY": placing.place,
    "MOVE": placing.place,
    "LOCK": locking.lock,
    "UNLOCK": locking.unlock,
    "REPORT": reports.report,
    "ACL": acl.change,
}
METHODS = frozenset(_METHODS)
_CHANGES = {
    "PUT": "write-content",
    "POST": "bind",
    "DELETE": "unbind",
    "PROPPATCH": "write-properties",
    "MKCOL": "bind",
    "MKCALENDAR": "bind",
    "MOVE": "unbind",
    "LOCK": "write-content",
    "UNLOCK": "unlock",
    "ACL": "write-acl",
}
"""Methods that change something, and the privilege that each needs (RFC 3744 appendix B)."""
_STATUSES = {
    "NONEXISTENT": HTTPStatus.NOT_FOUND,
    "ALREADYEXISTS": HTTPStatus.CONFLICT,
    "CANNOT": HTTPStatus.FORBIDDEN,
    "OVERQUOTA": HTTPStatus.INSUFFICIENT_STORAGE,
    "LIMIT": HTTPStatus.INSUFFICIENT_STORAGE,
    "TOOBIG": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "MODIFIED": HTTPStatus.PRECONDITION_FAILED,
    "UIDEXISTS": HTTPStatus.CONFLICT,
}


class DavApplication:
    """Answers below `/dav/`. A caller has the things of his own mailbox, and of others what was granted to him."""

    def __init__(self, access: DavAccess) -> None:
        self._access = access
        self._long_bodies = LongBodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"DAV does not speak {scope['type']}")
        request = Request.of(scope, receive, self._long_bodies)
        try:
            await self._serve(request, send)
        finally:
            request.leave()

    async def _serve(self, request: Request, send: Send) -> None:
        try:
            answer = await self._answer(request)
            await answer.begin()
        except ClientLeft:
            return
        except Refusal as refusal:
            answer = refused(refusal)
        except MailboxError as error:
            answer = refused(_of_store(error))
        except DirectoryUnavailable:
            answer = refused(unavailable())
        await answer.send(send)

    async def _answer(self, request: Request) -> Answer:
        try:
            place = place_of(request.path)
            method = _METHODS.get(request.method)
            if method is None:
                raise Refusal(HTTPStatus.NOT_IMPLEMENTED)
            own = await own_mailbox(self._access, request.caller.identity)
            if place is None:
                raise nodes.missing()
            box, place = await resolve(own, place)
            if not box.is_open and request.method != "REPORT":
                raise nodes.missing()  # only when the owner is busy may be asked
            if place.space is Space.ATTACHMENTS:
                return await managed_attachments.get(box, place, request)
            if request.method in _CHANGES and _is_read_only(box, place):
                if not address_list.holds(place):
                    await nodes.find(box, place)
                raise address_list.not_granted(request.path, _CHANGES[request.method])
            return await method(address_list.list_of(box) if address_list.holds(place) else box, place, request)
        except FieldError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, text=str(error)) from None
        except BodyError as error:
            raise Refusal(HTTPStatus(error.status), text=str(error)) from None


def _is_read_only(box: OwnMailbox, place: Place) -> bool:
    """Whether a path names what nobody can change by DAV: a thing of the directory."""
    is_other = place.space is Space.PRINCIPALS and bool(place.address) and not box.me.is_mine(place.address)
    return is_other or address_list.holds(place)


def _of_store(error: MailboxError) -> Refusal:
    if error.code == "UNAVAILABLE":
        log(Event.STORE_UNAVAILABLE, command="DAV")
        return unavailable()
    precondition = element(dav("quota-not-exceeded")) if error.code == "OVERQUOTA" else ""
    return Refusal(_STATUSES.get(error.code, HTTPStatus.FORBIDDEN), precondition, text=str(error))
