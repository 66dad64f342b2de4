"""The verifier's calls over DCE/RPC: one connection a call, with any authentication and protection, also such as must be refused.

The calls go by our own client machine over `net`, but pyspnego makes the NTLM proof and MIT's library the Kerberos one: no proof
is judged by the code that made it. `rpc_checks` decides what to call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import spnego
from spnego.iov import BufferType

from postern.model.security import Mechanism
from postern.net.door import dial, dial_local
from postern.paths.row import Path
from postern.protocols.dcerpc.interface import Interface, Syntax
from postern.protocols.dcerpc.interfaces.endpoint import ENDPOINT_MAPPER, MAP, map_request, read_map_reply
from postern.protocols.dcerpc.ndr import NdrError
from postern.protocols.dcerpc.protection import AuthType, Level
from postern.services.rpc.client import RpcConnection, RpcError
from postern.trust.contexts import SecurityContext, SecurityFailure
from postern.verify.sasl_client import Credentials

TIMEOUT = 15.0
"""Seconds for a handshake and a call."""
_REQUEST = (
    spnego.ContextReq.integrity
    | spnego.ContextReq.confidentiality
    | spnego.ContextReq.replay_detect
    | spnego.ContextReq.sequence_detect
    | spnego.ContextReq.dce_style
)


class SpnegoContext:
    """NTLM by pyspnego, bare or inside SPNEGO (`auth_type`), as a `trust.contexts.SecurityContext`."""

    mechanism = Mechanism.NTLM
    cipher = "NTLM RC4-128"
    groups: frozenset[str] = frozenset()
    lifetime: float | None = None

    def __init__(self, who: Credentials, domain: str, host: str, auth_type: AuthType = AuthType.NTLM) -> None:
        self.auth_type = auth_type
        negotiated = auth_type is AuthType.SPNEGO
        options = spnego.NegotiateOptions.use_ntlm | (
            spnego.NegotiateOptions.use_negotiate if negotiated else spnego.NegotiateOptions.none
        )
        self._context = spnego.client(
            who.name if "@" in who.name else f"{domain}\\{who.name}",
            who.password,
            hostname=host,
            service="host",
            protocol="negotiate" if negotiated else "ntlm",
            options=options,
            context_req=_REQUEST,
        )

    @property
    def complete(self) -> bool:
        return bool(self._context.complete)

    @property
    def session_key(self) -> bytes:
        return bytes(self._context.session_key)

    async def step(self, token: bytes) -> bytes:
        try:
            return self._context.step(token or None) or b""
        except (spnego.exceptions.SpnegoError, ValueError) as error:
            raise SecurityFailure(str(error)) from error

    def token_size(self, level: Level, size: int) -> int:
        return 16  # MS-NLMP 2.2.2.9

    def protect(self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes) -> tuple[bytes, bytes]:
        if level != Level.PRIVACY:
            return stub, bytes(self._context.sign(b"".join((head, stub, trailer))))
        signed = BufferType.sign_only
        buffers = self._context.wrap_iov(
            [BufferType.header, (signed, head), (BufferType.data, stub), (signed, trailer)]
        ).buffers
        return bytes(buffers[2].data or b""), bytes(buffers[0].data or b"")

    def unprotect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes, token: bytes
    ) -> bytes | None:
        signed = BufferType.sign_only
        try:
            if level != Level.PRIVACY:
                self._context.verify(b"".join((head, stub, trailer)), token)
                return stub
            parts = [(BufferType.header, token), (signed, head), (BufferType.data, stub), (signed, trailer)]
            return bytes(self._context.unwrap_iov(parts).buffers[2].data or b"")
        except spnego.exceptions.SpnegoError:
            return None

    def sign(self, message: bytes) -> bytes:
        return bytes(self._context.sign(message))

    def verify(self, message: bytes, signature: bytes) -> bool:
        try:
            self._context.verify(message, signature)
        except spnego.exceptions.SpnegoError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Question:
    """A call that changes nothing: the operation of an interface with its [in] parameters."""

    interface: Interface[Any]
    operation: str
    parameters: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """The place at which a row is answered: a server's address, the real port of its endpoint mapper, and that of the row."""

    row: Path
    host: str
    mapper: int
    number: int = 0


class ProbeConnection(RpcConnection):
    """A connection that knows SPNEGO, too: the later legs of that handshake go by alter_context (MS-RPCE 3.3.1.5.2.2)."""

    async def _prove(self, context: SecurityContext, token: bytes) -> None:
        if context.auth_type != AuthType.SPNEGO:
            await super()._prove(context, token)
            return
        while token := await context.step(token):
            self.machine.alter_context(token)
            token = (await self._answer()).token
            if context.complete:
                break
        if not context.complete:
            raise SecurityFailure("the handshake did not end")


async def mapped(place: Place, syntax: Syntax) -> int:
    """The port that the endpoint mapper names; 0 if it knows none. Raises OSError, TimeoutError, RpcError."""
    connection = ProbeConnection()
    await dial(place.row, connection, place.host, place.mapper, place.row.port("epm"))
    try:
        async with asyncio.timeout(TIMEOUT):
            await connection.bind(ENDPOINT_MAPPER, None, Level.NONE)
            towers = read_map_reply(await connection.call(MAP, map_request(syntax)))
    except NdrError as error:
        raise RpcError(f"the endpoint mapper's answer: {error}") from error
    finally:
        connection.close()
    return next((tower.port for tower in towers if tower.syntax.uuid == syntax.uuid), 0)


async def ask(
    place: Place,
    question: Question,
    context: SecurityContext | None,
    level: Level,
) -> None:
    """Connects, binds, calls, and reads the answer. Raises OSError where nobody listens, TimeoutError where nobody answers,
    RpcError or SecurityFailure for every kind of refusal."""
    connection = ProbeConnection()
    await dial(place.row, connection, place.host, place.number, place.row.port("rpc"))
    await _ask(connection, question, context, level)


async def ask_locally(row: Path, socket: FilePath, question: Question) -> None:
    """Asks as `ask` does, over a unix socket, with no authentication but the kernel's peer credentials."""
    connection = ProbeConnection()
    await dial_local(row, connection, socket)
    await _ask(connection, question, None, Level.NONE)


async def _ask(connection: ProbeConnection, question: Question, context: SecurityContext | None, level: Level) -> None:
    interface = question.interface
    number = interface.numbers[question.operation]
    operation = interface.operations[number]
    try:
        async with asyncio.timeout(TIMEOUT):
            await connection.bind(interface.syntax, context, level)
            reply = await connection.call(number, operation.request.encode(question.parameters))
        operation.reply.decode(reply)
    except NdrError as error:
        raise RpcError(f"the answer: {error}") from error
    finally:
        connection.close()


async def refusal(asking: Awaitable[None]) -> str | None:
    """The text of a refusal; None if the call was answered. Raises OSError if nobody was there to refuse."""
    try:
        await asking
    except (RpcError, SecurityFailure) as error:
        return str(error)
    return None
