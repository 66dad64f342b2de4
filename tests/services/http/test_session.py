"""The door's own answers, as httpx and sockets see them: routes, hosts, methods, sizes, clear text, and clients that are slow.

covers: services.http.access, services.http.answers
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from postern.services.http.access import HttpLimits
from postern.services.http.site import Receive, Scope, Send
from postern.telemetry.metrics import METRICS, Metric
from tests.services.http.doors import ANONYMOUS, HOST, WebDoor, answer, body_of, hello, read_answer
from tests.support.waiting import until

QUICK = HttpLimits(head=0.2, part=0.2, idle=0.2, linger=0.1)


def test_a_body_of_another_media_type_is_415() -> None:
    async def run() -> None:
        door = WebDoor()
        route = door.route("/xml/", kinds=frozenset({"text/xml", "application/xml"}))
        async with door.opened(route, door.route("/")), door.client() as client:
            for said, status in (
                ("text/xml", 200),
                ("Application/XML; charset=utf-8", 200),
                ("application/json", 415),
                ("text/xml, text/plain", 415),
                ("nonsense", 415),
            ):
                response = await client.post("/xml/", content=b"<a/>", headers={"Content-Type": said})
                assert response.status_code == status, said
            assert response.headers["accept"] == "application/xml, text/xml"
            assert (await client.post("/xml/", content=b"<a/>")).status_code == 200, "nothing is said"
            assert (await client.get("/xml/", headers={"Content-Type": "text/plain"})).status_code == 200, "no body"
            assert (await client.post("/", content=b"a", headers={"Content-Type": "text/plain"})).status_code == 200

    asyncio.run(run())


def test_a_request_goes_to_the_application_of_its_route() -> None:
    async def run() -> None:
        door = WebDoor()
        async with door.opened(door.route("/a/"), door.route("/b/", _other)), door.client() as client:
            first = await client.get("/A/x%20y/../z?q=1")
            assert (first.status_code, first.text) == (200, "alice@example.test Basic autodiscover /A/z ")
            assert (await client.post("/b/", content=b"x" * 300_000)).text == "300000"
            assert (await client.head("/a/")).headers["content-length"] == "42"
            assert (await client.get("/c")).status_code == 404
            assert (await client.get("/a/%252e%252e/b/")).status_code == 400
            assert len(door.doors[0].links) == 1, "all on one connection"

    asyncio.run(run())


async def _other(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, str(len(await body_of(receive))).encode())


def test_the_scope_is_asgi_s() -> None:
    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(scope)
        await answer(send, b"")

    seen: dict[str, Any] = {}

    async def run() -> None:
        door = WebDoor()
        async with door.opened(door.route("/", look)), door.client() as client:
            assert (await client.request("POST", "/a%20b?c=d%20e", headers={"X-One": "1"})).status_code == 200
            assert (seen["type"], seen["http_version"], seen["method"], seen["scheme"]) == (
                "http",
                "1.1",
                "POST",
                "https",
            )
            assert (seen["path"], seen["raw_path"], seen["query_string"]) == ("/a b", b"/a%20b", b"c=d%20e")
            assert seen["server"] == ("127.0.0.1", door.port) and seen["client"][0] == "127.0.0.1"
            assert (b"x-one", b"1") in seen["headers"] and (b"host", f"{HOST}:{door.port}".encode()) in seen["headers"]
            assert seen["asgi"]["version"] == "3.0" and seen["root_path"] == ""
            caller = seen["extensions"]["postern"]
            assert (caller.row.id, caller.peer.host, caller.seal.protocol) == ("autodiscover", "127.0.0.1", "TLSv1.3")

    asyncio.run(run())


def test_refusals_of_the_door() -> None:
    async def run() -> None:
        door = WebDoor()
        routes = (
            door.route("/a/", body=1000),
            door.route("/own/", hosts=("other.example.test",)),
            door.route("/own/", hosts=(HOST,), methods=frozenset({"GET"})),
            door.route("/far/", hosts=("other.example.test",)),
        )
        async with door.opened(*routes), door.client() as client:
            assert (await client.get("/far/")).status_code == 421
            assert (await client.get("/far/", headers={"Host": "other.example.test"})).status_code == 200
            refused = await client.request("DELETE", "/a/")
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST, PUT")
            assert (await client.post("/own/")).headers["allow"] == "GET"
            assert (await client.post("/a/", content=b"x" * 1000)).status_code == 200
            large = await client.post("/a/", content=b"x" * 1001)
            assert (large.status_code, large.headers["connection"]) == (413, "close")
            assert (await client.post("/a/", content=_chunks(1001))).status_code == 413
            assert (await client.post("/a/", content=_chunks(5_000_000))).status_code == 413
            every = await client.request("OPTIONS", "*", extensions={"target": b"*"})
            assert (every.status_code, every.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST, PUT")

    asyncio.run(run())


async def _chunks(size: int) -> Any:
    for start in range(0, size, 50_000):
        yield b"x" * min(50_000, size - start)


def test_every_answer_protects_browsers_and_names_no_version() -> None:
    async def run() -> None:
        door = WebDoor()
        async with door.opened(door.route("/a/"), door.route("/own/", _own_policy)), door.client() as client:
            for response in (await client.get("/a/"), await client.get("/b"), await client.get("/a/", auth=None)):
                fields = response.headers
                assert fields["strict-transport-security"] == "max-age=31536000"
                assert fields["x-content-type-options"] == "nosniff" and fields["x-frame-options"] == "DENY"
                assert fields["content-security-policy"] == "frame-ancestors 'none'"
                assert fields["referrer-policy"] == "same-origin" and "server" not in fields
                assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", fields["date"])
            own = await client.get("/own/")
            assert own.headers.get_list("content-security-policy") == ["default-src 'self'"]
            assert own.headers.get_list("date") == ["Thu, 01 Jan 2026 00:00:00 GMT"]
        async with door.in_clear() as client:
            pass

    asyncio.run(run())


async def _own_policy(scope: Scope, receive: Receive, send: Send) -> None:
    own = ((b"Content-Security-Policy", b"default-src 'self'"), (b"Date", b"Thu, 01 Jan 2026 00:00:00 GMT"))
    await answer(send, b"", 200, *own)


def test_clear_text_is_redirected_where_the_row_does_not_let_it_pass() -> None:
    async def run() -> None:
        door = WebDoor()
        refusals = METRICS.values.get((Metric.REFUSALS, ("autodiscover", "encryption-required")), 0)
        async with door.opened(door.route("/a/"), door.route("/open/", rows=[ANONYMOUS])), door.in_clear() as client:
            tls = f"https://localhost:{door.port}"
            for host, goes_to in (
                (HOST, tls),
                ("mail.example.test", f"https://mail.example.test:{door.port}"),
                ("evil.test", tls),
            ):
                moved = await client.get(
                    "/a/x%20y?z=%0d", headers={"Host": host, "Authorization": "Basic YWxpY2U6eA=="}
                )
                assert (moved.status_code, moved.headers["location"]) == (301, goes_to + "/a/x%20y?z=%0d")
                assert "www-authenticate" not in moved.headers and "strict-transport-security" not in moved.headers
            assert (await client.head("/a/")).status_code == 301
            refused = await client.post("/a/", content=b"x", auth=("alice", "wonderland"))
            assert refused.status_code == 403 and "www-authenticate" not in refused.headers
            assert METRICS.values[(Metric.REFUSALS, ("autodiscover", "encryption-required"))] == refusals + 1
            assert door.people.asked == 0
            assert (await client.get("/open/x")).text == " Anonymous autodiscover /open/x "

    asyncio.run(run())


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ],
)
def test_what_is_no_request_is_answered_in_plain_text(octets: bytes, status: int) -> None:
    async def run() -> None:
        door = WebDoor(limits=QUICK)
        async with door.opened(), door.dialled(clear=True) as (reader, writer):
            writer.write(octets)
            code, fields, body = await read_answer(reader)
            assert (code, fields[b"content-type"]) == (status, b"text/plain; charset=utf-8")
            assert fields[b"connection"] == b"close" and body.endswith(b"\n") and b"<" not in body
            assert await reader.read() == b""

    asyncio.run(run())


def test_pipelined_requests_are_answered_one_after_the_other() -> None:
    async def run() -> None:
        door = WebDoor()
        async with door.opened(door.route(rows=[ANONYMOUS])), door.dialled(clear=True) as (reader, writer):
            requests = [b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" % n for n in range(50)]
            writer.write(b"".join(requests))
            for n in range(50):
                code, _, body = await read_answer(reader)
                assert (code, body) == (200, b" Anonymous autodiscover /%d abc" % n)

    asyncio.run(run())


def test_a_head_that_does_not_end_has_a_deadline_however_its_octets_come() -> None:
    async def run() -> None:
        door = WebDoor(limits=HttpLimits(head=0.3, idle=30.0, linger=0.1))
        async with door.opened(), door.dialled() as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")

            async def drip() -> None:
                while True:
                    writer.write(b"X: y\r\n")
                    await asyncio.sleep(0.02)

            dripping = asyncio.create_task(drip())
            code, _, _ = await read_answer(reader)
            assert code == 408 and await reader.read() == b""
            dripping.cancel()

    asyncio.run(run())


def test_a_body_that_does_not_come_has_a_deadline() -> None:
    async def run() -> None:
        door = WebDoor(limits=HttpLimits(part=0.2, linger=0.1))
        async with door.opened(door.route(rows=[ANONYMOUS])), door.dialled() as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")

            async def drip() -> None:
                while True:
                    writer.write(b"d")
                    await asyncio.sleep(0.02)

            dripping = asyncio.create_task(drip())
            code, fields, _ = await read_answer(reader)
            assert code == 408 and fields[b"connection"] == b"close"
            assert await reader.read() == b""
            dripping.cancel()

    asyncio.run(run())


def test_a_connection_without_requests_is_closed() -> None:
    async def run() -> None:
        door = WebDoor(limits=QUICK)
        async with door.opened(door.route(rows=[ANONYMOUS])), door.dialled() as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await read_answer(reader))[0] == 200
            assert await reader.read() == b""

    asyncio.run(run())


def test_requests_in_flight_are_bounded_by_address() -> None:
    async def run() -> None:
        gate = asyncio.Event()

        async def wait(scope: Scope, receive: Receive, send: Send) -> None:
            await gate.wait()
            await hello(scope, receive, send)

        door = WebDoor(limits=HttpLimits(in_flight=2))
        async with door.opened(door.route("/", wait, rows=[ANONYMOUS])), door.client() as client:
            waiting = [asyncio.create_task(client.get("/")) for _ in range(2)]
            await until(lambda: sum(door.access.in_flight._counts.values()) == 2)
            refused = await client.get("/")
            assert refused.status_code == 503 and "retry-after" in refused.headers
            gate.set()
            assert [response.status_code for response in await asyncio.gather(*waiting)] == [200, 200]
            assert (await client.get("/")).status_code == 200
            assert not door.access.in_flight._counts

    asyncio.run(run())


def test_each_request_is_in_the_log_and_in_the_metrics() -> None:
    async def run() -> None:
        door = WebDoor()
        async with door.opened(door.route("/a/")), door.client() as client:
            key = (Metric.HTTP_SECONDS, ("/a/", "2xx"))
            before = sum(METRICS.distributions[key].counts) if key in METRICS.distributions else 0
            with capture_logs() as lines:
                await client.get("/a/b?secret=1")
                await client.get("/a/b", auth=("alice", "wrong"))
                await client.get("/nowhere")
                await client.get("/a/b")
            told = [line for line in lines if line["event"] == "http-request"]
            assert [(line["path"], line["name"], line["status"], line["target"]) for line in told] == [
                ("autodiscover", "alice@example.test", 200, "/a/b"),
                ("autodiscover", "", 401, "/a/b"),
                ("", "", 404, "/nowhere"),
                ("autodiscover", "alice@example.test", 200, "/a/b"),
            ]
            assert told[0]["method"] == "GET" and told[0]["octets"] == 43 and told[0]["peer"].startswith("127.0.0.1:")
            assert "secret" not in str(lines) and "wonderland" not in str(lines)
            assert sum(METRICS.distributions[key].counts) == before + 2

    asyncio.run(run())


def test_httpx_without_keep_alive_and_http_1_0() -> None:
    async def run() -> None:
        door = WebDoor()
        async with door.opened(door.route(rows=[ANONYMOUS])):
            async with door.client(limits=httpx.Limits(max_keepalive_connections=0)) as client:
                assert [(await client.get("/")).status_code for _ in range(3)] == [200] * 3
            async with door.dialled() as (reader, writer):
                writer.write(b"GET / HTTP/1.0\r\n\r\n")
                assert (await read_answer(reader))[0] == 200
                assert await reader.read() == b""

    asyncio.run(run())
