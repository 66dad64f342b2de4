"""The Autodiscover service on the row `autodiscover`: `/autodiscover/autodiscover.xml` and `/autodiscover/autodiscover.svc`.

A caller learns the settings of its own mailbox, by any of its addresses. Another mailbox is answered like one that does not
exist.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from postern.model.directory import Directory, DirectoryUnavailable, Recipient
from postern.protocols.http.negotiation import parse_content_type
from postern.services.autodiscover import mailboxes, pox, soap
from postern.services.autodiscover.client_services import ClientServices
from postern.services.autodiscover.pox import PoxError
from postern.services.http.site import Receive, Scope, Send, caller_of

RETRY = "5"
"""Seconds after which a client may ask again when the directory does not answer."""


@dataclass(frozen=True, slots=True)
class Autodiscover:
    """The state that requests share. `services` gives the services for a mailbox of this database ("" for no mailbox); `host` is
    this server's name."""

    directory: Directory
    services: Callable[[str], ClientServices]
    host: str
    clock: Callable[[], float] = time.time

    async def answer_pox(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers `/autodiscover/autodiscover.xml`. A request without a body, as a browser makes, is an invalid one."""
        request = Request(scope, receive)
        question = pox.read(await request.body(), _charset(request))
        try:
            answer = question if isinstance(question, PoxError) else await self._settings(request, question)
        except DirectoryUnavailable:
            response = Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": RETRY})
        else:
            body = pox.failure(answer, self.host, self.clock()) if isinstance(answer, PoxError) else answer
            response = Response(body, headers=_PRIVATE, media_type=pox.CONTENT_TYPE)
        await response(scope, receive, send)

    async def _settings(self, request: Request, question: pox.Question) -> bytes | PoxError:
        own = await mailboxes.own_mailbox(self.directory, caller_of(request.scope).identity)
        answer = (await mailboxes.answers(self.directory, own, [question.address]))[question.address]
        if isinstance(answer, Recipient):
            return pox.settings(question, answer, self.services(answer.database))
        return PoxError.NOT_FOUND if answer is None else pox.redirect(answer)

    async def answer_soap(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers `/autodiscover/autodiscover.svc`."""
        request = Request(scope, receive)
        question = soap.read(await request.body(), _charset(request))
        status = HTTPStatus.OK
        if question is None:
            status, body = HTTPStatus.INTERNAL_SERVER_ERROR, soap.fault()
        elif isinstance(question, soap.Invalid):
            body = soap.failure(question.operation, soap.Code.INVALID_REQUEST)
        else:
            try:
                body = await self._answer(request, question)
            except DirectoryUnavailable:
                body = soap.failure(question.operation, soap.Code.SERVER_BUSY)
        response = Response(body, status, _PRIVATE, soap.CONTENT_TYPE)
        await response(scope, receive, send)

    async def _answer(self, request: Request, question: soap.Question) -> bytes:
        if question.operation is soap.Operation.DOMAIN_SETTINGS:
            return soap.domain_settings(question, self.services(""))
        own = await mailboxes.own_mailbox(self.directory, caller_of(request.scope).identity)
        answers = await mailboxes.answers(self.directory, own, question.named)
        return soap.user_settings(question, answers, self.services(own.database if own is not None else ""))


_PRIVATE = {"Cache-Control": "private"}


def _charset(request: Request) -> str:
    """The charset of the content type, "" for none."""
    return parse_content_type(request.headers.get("content-type", "").encode("latin-1")).charset
