"""Operations: how one reads its request and gives its answer.

Most are batches: a request has several parts, each part has a response message of its own, and one that fails does not keep the
others from being done (MS-OXWSCDATA section 2.2.4.17). `Batch` and `Single` write what is around the answers.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from postern.model.directory import DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import CLOSING, Fault, opening, start_tag
from postern.protocols.ews.errors import BACK_OFF, EwsError
from postern.protocols.ews.names import value
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.telemetry.log import Event, log

T = TypeVar("T")
_CODES = {
    "NONEXISTENT": Code.ITEM_NOT_FOUND,
    "ALREADYEXISTS": Code.FOLDER_EXISTS,
    "CANNOT": Code.ACCESS_DENIED,
    "UIDEXISTS": Code.ITEM_SAVE,
    "OVERQUOTA": Code.QUOTA_EXCEEDED,
    "LIMIT": Code.INSUFFICIENT_RESOURCES,
    "TOOBIG": Code.MESSAGE_SIZE_EXCEEDED,
    "MODIFIED": Code.IRRESOLVABLE_CONFLICT,
    "UNAVAILABLE": Code.MAILBOX_STORE_UNAVAILABLE,
}

_EMPTY = dict.fromkeys(("GetItem", "CreateItem", "UpdateItem", "MoveItem", "CopyItem"), "<m:Items/>") | dict.fromkeys(
    ("GetAttachment", "CreateAttachment"), "<m:Attachments/>"
)
_EMPTY |= {
    # exchangelib reads the state before it reads the response code.
    "SyncFolderItems": "<m:SyncState/><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>",
    "SyncFolderHierarchy": "<m:SyncState/><m:IncludesLastFolderInRange>true</m:IncludesLastFolderInRange>",
}
"""The elements that messages of operations have by the schema, also when they tell of a failure (MS-OXWSCDATA section 2.2.4.41;
those of attachments likewise)."""


PIECE = 3 << 14
"""Octets that are written in base64 at once; three become four characters, so the pieces go together."""


@dataclass(frozen=True, slots=True)
class Long:
    """Markup that is too long to be made at once: texts, and octets that are written in base64 while they are sent."""

    parts: Sequence[str | bytes]

    def pieces(self) -> Iterator[str]:
        for part in self.parts:
            if isinstance(part, str):
                yield part
                continue
            view = memoryview(part)
            for start in range(0, len(part), PIECE):
                yield base64.b64encode(view[start : start + PIECE]).decode("ascii")


class Operation(Protocol):
    """An operation by its name, for example "GetItem". `since` is the version that brought it, `section` where it stands."""

    @property
    def name(self) -> str: ...

    @property
    def since(self) -> Version: ...

    @property
    def section(self) -> str: ...

    def answer(self, call: Call, request: xml.Element) -> AsyncGenerator[str, None]:
        """Gives the whole document piece by piece; an empty piece has those before it sent at once. Raises Fault, before the
        first piece."""
        ...


@dataclass(frozen=True, slots=True)
class Warned:
    """A part that was done, of which the client should know something: a response message of the class Warning, with its
    content."""

    why: EwsError
    content: str


@dataclass(frozen=True, slots=True)
class Batch:
    """An operation whose answer has a response message for each part of the request. `run` gives, for each of them, the markup
    that stands behind its response code, or the error with which the part ended. Long markup is sent piece by piece."""

    name: str
    since: Version
    section: str
    run: Callable[[Call, xml.Element], AsyncIterator[str | Long | EwsError | Warned]]

    async def answer(self, call: Call, request: xml.Element) -> AsyncGenerator[str, None]:
        yield opening() + start_tag(f"{self.name}Response") + "<m:ResponseMessages>"
        tag = f"m:{self.name}ResponseMessage"
        try:
            async for part in self.run(call, request):
                if isinstance(part, Long):
                    for piece in Long((_begun(tag), *part.parts, f"</{tag}>")).pieces():
                        yield piece
                else:
                    yield _message(tag, part, self.name)
        except (EwsError, MailboxError, DirectoryUnavailable) as error:
            yield _failure(tag, as_error(error), self.name)
        yield f"</m:ResponseMessages></m:{self.name}Response>{CLOSING}"


@dataclass(frozen=True, slots=True)
class Single:
    """An operation with one answer. `run` returns what is in the element of the answer; an error of it becomes a fault."""

    name: str
    since: Version
    section: str
    run: Callable[[Call, xml.Element], Awaitable[str]]

    async def answer(self, call: Call, request: xml.Element) -> AsyncGenerator[str, None]:
        try:
            content = await self.run(call, request)
        except (EwsError, MailboxError, DirectoryUnavailable) as error:
            known = as_error(error)
            raise Fault(known.code, str(known), known.values) from None
        yield f"{opening()}{start_tag(f'{self.name}Response')}{content}</m:{self.name}Response>{CLOSING}"


@dataclass(frozen=True, slots=True)
class Direct:
    """An operation whose answer is a response message itself, without others in it (MS-OXWSGTRM section 3.1.4.1). `run` returns
    what stands behind the response code. `answer_name` is the element of the answer, where it is not named as all others are."""

    name: str
    since: Version
    section: str
    run: Callable[[Call, xml.Element], Awaitable[str]]
    answer_name: str = ""

    async def answer(self, call: Call, request: xml.Element) -> AsyncGenerator[str, None]:
        name = self.answer_name or f"{self.name}Response"
        part = await attempted(self.run(call, request))
        tag = start_tag(name)[1:-1]
        yield opening() + _message(tag, part, self.name) + CLOSING


def _message(tag: str, part: str | EwsError | Warned, operation: str) -> str:
    """A response message. `tag` is its start without brackets."""
    if isinstance(part, EwsError):
        return _failure(tag, part, operation)
    if isinstance(part, Warned):
        return f'<{tag} ResponseClass="Warning">{part.why.markup}{part.content}</{tag.partition(" ")[0]}>'
    return _success(tag, part)


def _success(tag: str, content: str) -> str:
    return f"{_begun(tag)}{content}</{tag.partition(' ')[0]}>"


def _begun(tag: str) -> str:
    return f'<{tag} ResponseClass="Success">{value("m:ResponseCode", Code.NO_ERROR)}'


def _failure(tag: str, error: EwsError, operation: str) -> str:
    end = tag.partition(" ")[0]
    return f'<{tag} ResponseClass="Error">{error.markup}{_EMPTY.get(operation, "")}</{end}>'


def as_error(error: EwsError | MailboxError | DirectoryUnavailable) -> EwsError:
    """The error of the protocol for what the store or the directory refused."""
    if isinstance(error, EwsError):
        return error
    if isinstance(error, DirectoryUnavailable):
        return EwsError(Code.SERVER_BUSY, values=BACK_OFF)
    if error.code == "UNAVAILABLE":
        log(Event.STORE_UNAVAILABLE, command="EWS")
    return EwsError(_CODES.get(error.code, Code.INTERNAL_SERVER_ERROR))


async def attempted(part: Awaitable[T]) -> T | EwsError:
    """The markup of one part, or the error with which it ended."""
    try:
        return await part
    except (EwsError, MailboxError, DirectoryUnavailable) as error:
        return as_error(error)
