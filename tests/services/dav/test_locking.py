"""LOCK and UNLOCK of documents, and what a lock keeps others from.

covers: locks
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from postern.services.dav import locks
from tests.services.dav.site import CALENDAR, FILES, NAMES, XMLNS, DavSite, event, failed, propfind

X = f"{FILES}x"


async def lock(client: httpx.AsyncClient, path: str, scope: str = "exclusive", **headers: str) -> httpx.Response:
    body = (
        f"<D:lockinfo {XMLNS}><D:lockscope><D:{scope}/></D:lockscope><D:locktype><D:write/></D:locktype>"
        "<D:owner>me &amp; you</D:owner></D:lockinfo>"
    )
    return await client.request("LOCK", path, content=body, headers=headers)


def token_of(answer: httpx.Response) -> str:
    assert answer.status_code in (200, 201), answer.text
    return answer.headers["lock-token"]


def test_a_lock_keeps_others_out() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(X, content=b"x")
            token = token_of(await lock(client, X, timeout="Second-100"))
            mine = {"if": f"({token})"}
            for method, headers in (
                ("PUT", {}),
                ("DELETE", {}),
                ("MOVE", {"destination": f"{FILES}y"}),
                ("PUT", {"if": "(Not <DAV:no-lock>)"}),
            ):
                answer = await client.request(method, X, content=b"y", headers=headers)
                assert answer.status_code == 423 and failed(answer) == "D:lock-token-submitted"
            answer = await client.put(X, content=b"y", headers={"if": "(<urn:uuid:other>)"})
            assert answer.status_code == 412
            assert (await client.get(X)).content == b"x"
            assert (await client.put(X, content=b"y", headers=mine)).status_code == 204
            assert (await lock(client, X)).status_code == 423
            assert (await lock(client, FILES)).status_code == 423
            assert (await client.request("UNLOCK", X, headers={"lock-token": "<urn:uuid:other>"})).status_code == 409
            assert (await client.request("UNLOCK", X, headers={"lock-token": token})).status_code == 204
            assert (await client.put(X, content=b"z")).status_code == 204

    asyncio.run(work())


def test_a_lock_is_told() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(X, content=b"x")
            token = token_of(await lock(client, X, timeout="Second-100", depth="0"))
            answers = await propfind(client, X, "D:lockdiscovery", "D:supportedlock")
            active = answers.prop(X, "D:lockdiscovery")
            assert active is not None
            assert active.findtext("D:activelock/D:locktoken/D:href", "", NAMES) == token[1:-1]
            assert active.findtext("D:activelock/D:owner", "", NAMES) == "me & you"
            assert active.findtext("D:activelock/D:lockroot/D:href", "", NAMES) == X
            assert active.findtext("D:activelock/D:depth", "", NAMES) == "0"
            seconds = active.findtext("D:activelock/D:timeout", "", NAMES)
            assert 50 < int(seconds.removeprefix("Second-")) <= 100
            everything = await propfind(client, FILES, depth="1")
            assert everything.prop(X, "D:lockdiscovery/D:activelock") is not None
            assert everything.prop(FILES, "D:lockdiscovery/D:activelock") is None

    asyncio.run(work())


def test_a_lock_of_what_is_not_there_makes_it() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answer = await lock(client, X)
            assert answer.status_code == 201 and (await client.get(X)).content == b""
            assert (await lock(client, f"{FILES}no/such")).status_code == 409
            assert (await lock(client, f"{FILES}none/")).status_code == 409

    asyncio.run(work())


def test_a_lock_of_what_another_makes_meanwhile_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has no token of such a lock, and could not end it."""

    async def work() -> None:
        async with DavSite().client() as client:
            take = locks.take

            async def slow(*arguments: Any) -> Any:
                monkeypatch.setattr(locks, "take", take)
                assert (await client.put(X, content=b"faster")).status_code == 201
                return await take(*arguments)

            monkeypatch.setattr(locks, "take", slow)
            assert (await lock(client, X)).status_code == 412
            assert (await client.put(X, content=b"again")).status_code == 204

    asyncio.run(work())


def test_a_deep_lock_covers_what_is_below_and_what_comes() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.request("MKCOL", f"{FILES}a/")
            token = token_of(await lock(client, f"{FILES}a/", depth="infinity"))
            for method, path in (("PUT", f"{FILES}a/x"), ("MKCOL", f"{FILES}a/b/"), ("LOCK", f"{FILES}a/y")):
                assert (await client.request(method, path)).status_code in (423, 412)
            mine = {"if": f"<{FILES}a/> ({token})"}
            assert (await client.put(f"{FILES}a/x", content=b"x", headers=mine)).status_code == 201
            assert (await client.put(f"{FILES}a/x", content=b"x", headers={"if": f"({token})"})).status_code == 204
            await client.put(f"{FILES}z", content=b"z")
            headers = {"destination": f"{FILES}a/x"}
            assert (await client.request("COPY", f"{FILES}z", headers=headers)).status_code == 423
            assert (await client.request("COPY", f"{FILES}z", headers={**headers, **mine})).status_code == 204

    asyncio.run(work())


def test_a_lock_of_depth_0_keeps_the_members_of_a_folder() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.request("MKCOL", f"{FILES}a/")
            await client.put(f"{FILES}a/x", content=b"x")
            token_of(await lock(client, f"{FILES}a/", depth="0"))
            assert (await client.put(f"{FILES}a/x", content=b"y")).status_code == 204
            assert (await client.put(f"{FILES}a/new", content=b"y")).status_code == 423
            assert (await client.delete(f"{FILES}a/x")).status_code == 423

    asyncio.run(work())


def test_shared_locks() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(X, content=b"x")
            first, second = token_of(await lock(client, X, "shared")), token_of(await lock(client, X, "shared"))
            assert (await lock(client, X)).status_code == 423
            assert (await client.put(X, content=b"y")).status_code == 423
            for token in (first, second):
                assert (await client.put(X, content=b"y", headers={"if": f"({token})"})).status_code == 204

    asyncio.run(work())


def test_refresh_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        now = [1_000_000.0]
        monkeypatch.setattr(locks.time, "time", lambda: now[0])
        async with DavSite().client() as client:
            await client.put(X, content=b"x")
            token = token_of(await lock(client, X, timeout="Second-100"))
            now[0] += 90
            answer = await client.request("LOCK", X, headers={"if": f"({token})", "timeout": "Second-100"})
            assert answer.status_code == 200 and b"Second-100" in answer.content
            now[0] += 90
            assert (await client.put(X, content=b"y")).status_code == 423
            now[0] += 20
            assert (await client.put(X, content=b"y")).status_code == 204
            assert (await client.request("LOCK", X, headers={"if": f"({token})"})).status_code == 412
            assert (await client.request("LOCK", X)).status_code == 412

    asyncio.run(work())


def test_locks_go_with_what_they_lock() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(X, content=b"x")
            mine = {"if": f"({token_of(await lock(client, X))})"}
            assert (await client.request("MOVE", X, headers={**mine, "destination": f"{FILES}y"})).status_code == 201
            assert (await client.put(f"{FILES}y", content=b"y")).status_code == 204
            assert (await client.put(X, content=b"y")).status_code == 201
            mine = {"if": f"({token_of(await lock(client, X))})"}
            assert (await client.delete(X, headers=mine)).status_code == 204
            assert (await client.put(X, content=b"y")).status_code == 201

    asyncio.run(work())


def test_calendars_are_not_locked() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await client.put(f"{CALENDAR}x.ics", content=event("x"))
            for path in (CALENDAR, f"{CALENDAR}x.ics", "/dav/files/"):
                assert (await lock(client, path)).status_code == 405
            assert (await lock(client, X, depth="1")).status_code == 400

    asyncio.run(work())


def test_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr(locks, "MAX_LOCKS", 2)
        async with DavSite().client() as client:
            statuses = [(await lock(client, f"{X}{number}")).status_code for number in range(3)]
            assert statuses == [201, 201, 507]
            assert (await client.get(f"{X}2")).status_code == 404

    asyncio.run(work())
