"""A request as its application sees it: bodies in pieces and under pressure, clients that leave, and applications that fail."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route as Page
from structlog.testing import capture_logs

from postern.net.link import Link
from postern.services.http.access import HttpLimits
from postern.services.http.exchange import MAX_HELD, ClientGone
from postern.services.http.site import Receive, Scope, Send
from tests.services.http.doors import ANONYMOUS, WebDoor, answer, body_of, read_answer
from tests.support.waiting import until

LARGE = 100_000_000
PIECE = 50_000
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
LINGERING = HttpLimits(linger=0.1)


def run(application: Any, use: Any, limits: HttpLimits | None = None, **more: Any) -> None:
    """Runs `use` with a door whose application anybody may call."""

    async def opened() -> None:
        door = WebDoor(limits=limits)
        async with door.opened(door.route("/", application, rows=[ANONYMOUS], **more)):
            await use(door)

    asyncio.run(opened())


def link_of(door: WebDoor) -> Link:
    """The one connection in clear text."""
    return next(iter(door.doors[1].links))


async def _pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, PIECE):
        yield b"x" * PIECE


@pytest.mark.slow
def test_100_mb_go_up_and_down_in_little_memory() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        read, more = 0, True
        while more:
            message = await receive()
            read, more = read + len(message["body"]), message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for piece in _pieces(read):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    async def use(door: WebDoor) -> None:
        async with door.client() as client:
            tracemalloc.start()
            try:
                async with client.stream("POST", "/", content=_pieces(LARGE)) as response:
                    size = 0
                    async for piece in response.aiter_bytes():
                        size += len(piece)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert size == LARGE and peak < 12_000_000, "both ends together"

    run(application, use, body=LARGE)


def test_a_client_that_sends_more_than_is_taken_is_not_read() -> None:
    gate = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        await answer(send, str(len(await body_of(receive))).encode())

    async def use(door: WebDoor) -> None:
        async with door.dialled(clear=True) as (reader, writer):
            writer.write(POST + b"Content-Length: 20000000\r\n\r\n" + b"x" * 20_000_000)
            await until(lambda: bool(door.doors[1].links) and link_of(door)._paused)
            exchange: Any = link_of(door).session
            assert MAX_HELD < exchange._exchange._held < 3 * MAX_HELD
            gate.set()
            assert (await read_answer(reader))[2] == b"20000000"

    run(application, use, body=LARGE)


def test_a_client_that_does_not_read_holds_up_its_application() -> None:
    sent: list[int] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(400):
            await send({"type": "http.response.body", "body": b"x" * PIECE, "more_body": True})
            sent.append(number)
        await send({"type": "http.response.body"})

    async def use(door: WebDoor) -> None:
        async with door.dialled(clear=True) as (reader, writer):
            writer.write(REQUEST)
            await until(lambda: bool(door.doors[1].links) and link_of(door).congested)
            assert len(sent) < 400
            while len(sent) < 400:
                assert await reader.read(1_000_000)

    run(application, use)


def test_a_client_that_never_reads_is_cut_off() -> None:
    ended: list[BaseException] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * PIECE, "more_body": True})
        except OSError as error:
            ended.append(error)
            raise

    async def use(door: WebDoor) -> None:
        async with door.dialled(clear=True) as (_, writer):
            writer.write(REQUEST)
            await until(lambda: bool(ended))
            await until(lambda: not door.doors[1].links)
            assert isinstance(ended[0], ClientGone)

    run(application, use, HttpLimits(idle=0.3))


@pytest.mark.parametrize("leaves_in", ["body", "answer"])
def test_an_application_hears_that_its_client_has_left(leaves_in: str) -> None:
    heard: list[Any] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append(await receive())
        heard.append(await receive())
        try:
            await answer(send, b"too late")
        except OSError as error:
            heard.append(error)

    async def use(door: WebDoor) -> None:
        with capture_logs() as lines:
            async with door.dialled() as (_, writer):
                length = 10 if leaves_in == "body" else 3
                writer.write(POST + b"Content-Length: %d\r\n\r\nabc" % length)
                await until(lambda: bool(heard))
            await until(lambda: len(heard) == 3)
            await until(lambda: any(line["event"] == "http-request" for line in lines))
        assert heard[0] == {"type": "http.request", "body": b"abc", "more_body": leaves_in == "body"}
        assert heard[1] == {"type": "http.disconnect"} and isinstance(heard[2], ClientGone)
        assert [line["status"] for line in lines if line["event"] == "http-request"] == [0]
        assert not [line for line in lines if line["event"] == "http-failed"]

    run(application, use)


def test_an_application_that_goes_on_without_its_client_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postern.services.http.session.GONE_AFTER", 0.05)
    ended: list[BaseException] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except BaseException as error:
            ended.append(error)
            raise

    async def use(door: WebDoor) -> None:
        async with door.dialled() as (_, writer):
            writer.write(REQUEST)
            await until(lambda: bool(door.access.in_flight._counts))
        await until(lambda: bool(ended))
        assert isinstance(ended[0], asyncio.CancelledError) and not door.access.in_flight._counts

    run(application, use)


async def _raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("the secret of the application")


async def _says_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    return


async def _begins(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def _splits(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"", 200, (b"x", b"a\r\nset-cookie: b"))


@pytest.mark.parametrize("application", [_raises, _says_nothing, _begins, _splits])
def test_an_application_that_fails_gets_500_without_detail(application: Any) -> None:
    async def use(door: WebDoor) -> None:
        async with door.client() as client:
            with capture_logs() as lines:
                response = await client.get("/")
                assert (response.status_code, response.text) == (500, "Internal Server Error\n")
                assert "set-cookie" not in response.headers
                assert (await client.get("/")).status_code == 500, "the connection goes on"
            assert len(door.doors[0].links) == 1
            failed = next(line for line in lines if line["event"] == "http-failed")
            assert failed["exc_info"] is not None and failed["target"] == "/"

    run(application, use)


async def _breaks_off(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise ValueError


async def _is_short(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"half", 200, (b"content-length", b"8"))


@pytest.mark.parametrize("application", [_breaks_off, _is_short])
def test_an_answer_that_had_begun_is_cut(application: Any) -> None:
    async def use(door: WebDoor) -> None:
        async with door.client() as client:
            with pytest.raises(httpx.TransportError):
                await client.get("/")
        await until(lambda: not door.doors[0].links)

    run(application, use)


def test_100_continue_comes_when_the_application_wants_the_body() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/":
            await answer(send, await body_of(receive))
        else:
            await answer(send, b"no", 403)

    async def use(door: WebDoor) -> None:
        async with door.dialled() as (reader, writer):
            writer.write(POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"abc")
            assert (await read_answer(reader))[2] == b"abc"
            writer.write(b"POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            code, fields, _ = await read_answer(reader)
            assert code == 403 and fields[b"connection"] == b"close"
            assert await reader.read() == b""

    run(application, use, LINGERING)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 2000 + b"0\r\n\r\n", 413),
        (b"Content-Length: 1001\r\n\r\n", 413),
    ],
)
def test_a_body_that_cannot_be_taken_ends_the_request(body: bytes, status: int) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, await body_of(receive))

    async def use(door: WebDoor) -> None:
        with capture_logs() as lines:
            async with door.dialled() as (reader, writer):
                writer.write(POST + body)
                code, fields, text = await read_answer(reader)
                assert (code, fields[b"connection"]) == (status, b"close") and text
                assert await reader.read() == b""
        assert not [line for line in lines if line["event"] == "http-failed"]

    run(application, use, LINGERING, body=1000)


def test_many_small_chunks_take_turns() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, str(len(await body_of(receive))).encode())

    async def use(door: WebDoor) -> None:
        async with door.dialled() as (reader, writer):
            writer.write(
                POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 200_000 + b"0\r\n\r\n" + REQUEST
            )
            assert (await read_answer(reader))[2] == b"200000"
            assert (await read_answer(reader))[2] == b"0"

    run(application, use)


def test_starlette_speaks_behind_the_door() -> None:
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(
            await request.body(), headers={"X-Caller": request.scope["extensions"]["postern"].row.id}
        )

    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(_pieces(2_000_000), media_type="application/octet-stream")

    async def form(request: Request) -> JSONResponse:
        return JSONResponse([piece.decode() async for piece in request.stream()])

    application = Starlette(
        routes=[
            Page("/echo", echo, methods=["POST"]),
            Page("/stream", stream),
            Page("/form", form, methods=["PUT"]),
        ]
    )

    async def use(door: WebDoor) -> None:
        async with door.client() as client:
            response = await client.post("/echo", content="gr\u00fc\u00df".encode())
            assert (response.text, response.headers["x-caller"]) == ("gr\u00fc\u00df", "autodiscover")
            assert len((await client.get("/stream")).content) == 2_000_000
            assert "".join((await client.put("/form", content=b"abc")).json()) == "abc"
            assert (await client.get("/echo")).status_code == 405
            assert (await client.get("/nothing")).status_code == 404
            assert (await client.head("/stream")).content == b""
            assert len(door.doors[0].links) == 1

    run(application, use)
