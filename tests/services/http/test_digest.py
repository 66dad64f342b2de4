"""Callers prove themselves to the door by Digest, by clients that nobody here wrote: curl and httpx.

covers: trust.framing.digest
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from postern.model.security import Mechanism
from postern.trust.framing.digest import DigestKeeping, Nonces
from postern.trust.passwords.realm_hash import ALGORITHMS
from tests.services.http.doors import ROWS, WebDoor
from tests.services.http.test_admission import curl, needs_curl
from tests.trust.kept import Kept

ALICE = "alice@example.test"
TOLD = f"{ALICE} Digest autodiscover /page "


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[WebDoor, Kept]]:
    """A door whose row lists Digest, and the hashes that are kept for it."""
    door, kept = WebDoor(), Kept("mail")
    kept.add(ALICE, "wonderland", "alice")
    route = door.route(rows=[ROWS["autodiscover"]], body=1_000_000)
    async with door.opened(route):
        route.guard.available = frozenset({Mechanism.DIGEST})
        door.access = replace(door.access, digest=DigestKeeping(kept, Nonces()))
        yield door, kept


def test_a_client_calculates_once_and_asks_nobody_again() -> None:
    async def run() -> None:
        async with opened() as (door, kept), door.client(auth=None) as client:
            challenges = (await client.get("/page")).headers.get_list("www-authenticate")
            assert all(f"algorithm={name}" in value for name, value in zip(ALGORITHMS, challenges, strict=True))
            auth = httpx.DigestAuth("alice", "wonderland")
            for _ in range(3):
                response = await client.get("/page", auth=auth)
                assert (response.status_code, response.text) == (200, TOLD)
            assert (await client.post("/page", auth=auth, content=b"hello")).text == TOLD + "hello"
            assert kept.asked == 1
            guess = await client.get("/page", auth=httpx.DigestAuth("alice", "guess"))
            assert guess.status_code == 401 and "stale" not in guess.headers["www-authenticate"]
            assert (await client.get("/page")).status_code == 401, "each request proves itself"

    asyncio.run(run())


def test_a_client_that_closes_each_connection_gets_in() -> None:
    async def run() -> None:
        async with opened() as (door, _), door.client(auth=None, headers={"connection": "close"}) as client:
            auth = httpx.DigestAuth("alice", "wonderland")
            for _ in range(2):
                response = await client.get("/page", auth=auth)
                assert (response.status_code, response.headers["connection"], response.text) == (200, "close", TOLD)
            assert (await client.get("/page", auth=httpx.DigestAuth("alice", "guess"))).status_code == 401

    asyncio.run(run())


@needs_curl
@pytest.mark.slow
def test_curl_by_digest(tmp_path: Path) -> None:
    async def run() -> None:
        upload = tmp_path / "upload"
        upload.write_bytes(b"y" * 700_000)
        async with opened() as (door, _):

            async def by(*options: str) -> str:
                return await asyncio.to_thread(curl, door, tmp_path, "--digest", *options)

            assert await by("-u", "alice:wonderland") == TOLD + " 200"
            assert await by("-u", f"{ALICE}:wonderland", "--http1.0") == TOLD + " 200"
            assert (await by("-u", "alice:guess")).endswith(" 401")
            sent = await by("-u", "alice:wonderland", "-T", str(upload))
            assert sent.count("y") == 700_000 and sent.endswith(" 200")
            assert (await by("-u", "alice:wonderland", "-I")).endswith(" 200")

    asyncio.run(run())
