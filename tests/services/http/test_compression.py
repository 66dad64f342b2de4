"""Answers in Brotli and gzip: for the routes that allow it, clients that accept it, and texts that are worth it."""

from __future__ import annotations

import asyncio
import gzip

import brotli

from postern.services.http.site import Receive, Scope, Send
from tests.services.http.doors import ANONYMOUS, WebDoor, answer

TEXT = b"<p>As you like it.</p>\n" * 10_000
HTML = (b"content-type", b"text/html; charset=utf-8")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    match scope["path"]:
        case "/whole":
            await answer(send, TEXT, 200, HTML)
        case "/told":
            await answer(send, TEXT, 200, HTML, (b"content-length", b"%d" % len(TEXT)), (b"vary", b"Cookie"))
        case "/streamed":
            await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
            for start in range(0, len(TEXT), 1000):
                await send({"type": "http.response.body", "body": TEXT[start : start + 1000], "more_body": True})
            await send({"type": "http.response.body"})
        case "/weak":
            await answer(send, TEXT, 200, HTML, (b"etag", b'W/"1"'))
        case "/strong":
            await answer(send, TEXT, 200, HTML, (b"etag", b'"1"'))
        case "/small":
            await answer(send, TEXT[:1000], 200, HTML)
        case "/picture":
            await answer(send, TEXT, 200, (b"content-type", b"image/png"))
        case "/packed":
            await answer(send, TEXT, 200, HTML, (b"content-encoding", b"br"))


async def asked(
    door: WebDoor, path: str, accepts: str = "gzip", method: str = "GET"
) -> tuple[dict[bytes, bytes], bytes]:
    async with door.dialled() as (reader, writer):
        fields = f"Host: a\r\nConnection: close\r\nAccept-Encoding: {accepts}\r\n\r\n"
        writer.write(f"{method} {path} HTTP/1.1\r\n{fields}".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        told = dict(line.lower().split(b": ", 1) for line in head[:-4].split(b"\r\n")[1:])
        body = await reader.read()
        if told.get(b"transfer-encoding") == b"chunked":
            pieces = []
            while body:
                size, _, body = body.partition(b"\r\n")
                pieces.append(body[: int(size, 16)])
                body = body[int(size, 16) + 2 :]
            body = b"".join(pieces)
        return told, body


def test_what_is_compressed() -> None:
    async def run() -> None:
        door = WebDoor()
        routes = (
            door.route("/", application, rows=[ANONYMOUS], compresses=True),
            door.route("/secret/", _secret, rows=[ANONYMOUS]),
        )
        async with door.opened(*routes):
            for path in ("/whole", "/told", "/streamed", "/weak"):
                fields, body = await asked(door, path)
                assert fields[b"content-encoding"] == b"gzip" and b"accept-encoding" in fields[b"vary"], path
                assert len(body) < len(TEXT) / 5 and gzip.decompress(body) == TEXT
                fields, body = await asked(door, path, "gzip, br;q=1.0, zstd")
                assert fields[b"content-encoding"] == b"br" and b"accept-encoding" in fields[b"vary"], path
                assert len(body) < len(TEXT) / 5 and brotli.decompress(body) == TEXT
                fields, body = await asked(door, path, "gzip, br;q=0.5")
                assert fields[b"content-encoding"] == b"gzip" and gzip.decompress(body) == TEXT, (
                    "what the client likes best"
                )
            assert (await asked(door, "/told"))[0][b"vary"] == b"cookie, accept-encoding"
            for path in ("/strong", "/picture", "/packed", "/secret/"):
                fields, body = await asked(door, path)
                assert body == TEXT and fields.get(b"content-encoding") in (None, b"br"), path
            assert (await asked(door, "/small"))[1] == TEXT[:1000]
            fields, body = await asked(door, "/whole", "zstd, identity")
            assert body == TEXT and fields[b"vary"] == b"accept-encoding"
            fields, body = await asked(door, "/whole", method="HEAD")
            assert body == b"" and fields[b"content-length"] == str(len(TEXT)).encode()

    asyncio.run(run())


async def _secret(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, TEXT, 200, HTML)
