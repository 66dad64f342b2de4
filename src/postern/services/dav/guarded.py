"""The refusals of DAV for what a caller may not do in another's mailbox."""

from __future__ import annotations

from http import HTTPStatus

from postern.protocols.dav.names import dav, element
from postern.services.access.guarded import GuardedItems
from postern.services.dav.request import Refusal


def need_privileges() -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, element(dav("need-privileges")))


class DavItems(GuardedItems):
    """The items of another's mailbox; it refuses with the precondition `need-privileges` (RFC 3744 section 7.1.1)."""

    def _denied(self) -> Refusal:
        return need_privileges()

    def _missing(self) -> Refusal:
        return Refusal(HTTPStatus.NOT_FOUND)
