"""Requests to others: what is dialled, what is not, and what comes of it."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, cast

import pytest

from postern.model.organization import Profile
from postern.net.dns import DnsError
from postern.paths.table import settle
from postern.protocols.http.client import MAX_ANSWER, Response
from postern.services.http.outgoing import Outgoing, OutgoingError, Permitted, Target, is_public, target_of
from postern.telemetry.observed import Observed
from tests.services.http.doors import WebDoor

ROW = settle(Profile.PRACTICAL)["ews-notification"]


class Names:
    """A resolver with names of its own."""

    async def addresses(self, host: str) -> list[str]:
        if host == "nowhere.example":
            raise DnsError("5.4.4", "The host has no address")
        return {"localhost": ["127.0.0.1"]}.get(host, [host])


def outgoing(tls: ssl.SSLContext, *networks: str, seconds: float = 10.0, most: int = MAX_ANSWER) -> Outgoing:
    return Outgoing(ROW, cast(Any, Names()), Observed(None), tls, Permitted(networks), seconds, most)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("192.0.2.1", False),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("2001:0:a00:1::", False),
        ("64:ff9b:1::a00:1", False),
        ("fec0::1", False),
        ("::10.0.0.1", False),
        ("::ffff:0:10.0.0.1", False),
        ("100::1", False),
        ("4000::1", False),
        ("224.0.1.1", False),
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public
    assert Permitted()(address, 443) is public
    assert not Permitted()(address, 25)
    assert Permitted(["127.0.0.0/8", "::1/128"])(address, 8443) is (address in ("127.0.0.1", "::1"))


def test_urls_are_taken_apart() -> None:
    assert target_of("https://A.Example:8443/x?y=1#z") == Target("https", "a.example", 8443, "/x?y=1")
    assert target_of("http://[::1]") == Target("http", "::1", 80, "/")
    assert Target("http", "::1", 80, "/").authority == "[::1]"
    assert Target("https", "a.example", 80, "/").authority == "a.example:80"
    for url in ("", "a.example", "https://", "https://a b/", "https://a/\n", "https://a:0/", "file:///etc/passwd"):
        assert target_of(url) is None, url
    assert target_of("https://a/" + "x" * 2_000) is None


def test_an_answer_is_had_over_tls_and_in_clear() -> None:
    async def steps() -> None:
        async with WebDoor().opened() as door:
            http = outgoing(door.client_tls(), "127.0.0.0/8")
            for scheme, port in (("https", door.port), ("http", door.clear)):
                answer = await http.post(Target(scheme, "localhost", port, "/x"), b"hello", [(b"X-Y", b"z")])
                assert isinstance(answer, Response) and answer.status in (401, 403)
            # A certificate that nobody vouches for, an address that is not public, a name that there is none of.
            for tls, host, port, networks, why in (
                (ssl.create_default_context(), "localhost", door.port, ("127.0.0.0/8",), "certificate"),
                (door.client_tls(), "localhost", door.port, (), "no address that may be dialled"),
                (door.client_tls(), "nowhere.example", 443, (), "has no address"),
                (door.client_tls(), "127.0.0.1", 1, ("127.0.0.0/8",), "127.0.0.1"),
            ):
                with pytest.raises(OutgoingError, match=why):
                    await outgoing(tls, *networks).post(Target("https", host, port, "/"), b"", [])

    asyncio.run(steps())


def test_an_answer_is_as_long_as_the_caller_takes_it() -> None:
    async def steps() -> None:
        async def long(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MAX_ANSWER)
            writer.close()

        server = await asyncio.start_server(long, "127.0.0.1", 0)
        target = Target("http", "127.0.0.1", server.sockets[0].getsockname()[1], "/")
        tls = ssl.create_default_context()
        answer = await outgoing(tls, "127.0.0.0/8", most=2 * MAX_ANSWER).post(target, b"", [])
        assert len(answer.body) == MAX_ANSWER
        with pytest.raises(OutgoingError, match="sent more than"):
            await outgoing(tls, "127.0.0.0/8").post(target, b"", [])
        server.close()
        await server.wait_closed()

    asyncio.run(steps())


def test_a_peer_that_is_silent_is_given_up() -> None:
    async def steps() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        http = outgoing(ssl.create_default_context(), "127.0.0.0/8", seconds=0.1)
        with pytest.raises(OutgoingError, match="no answer within"):
            await http.post(Target("http", "127.0.0.1", port, "/"), b"", [])
        server.close()
        await server.wait_closed()

    asyncio.run(steps())
