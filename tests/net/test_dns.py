"""The resolver against a name server of our own on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from postern.net.dns import DnsError, MailHost, Resolver, Service
from postern.paths.table import TABLE

ZONE = {
    ("two.test.", "MX"): ["20 b.two.test.", "10 A.two.test."],
    ("null.test.", "MX"): ["0 ."],
    ("plain.test.", "A"): ["192.0.2.7"],
    ("both.test.", "A"): ["192.0.2.1", "192.0.2.2"],
    ("both.test.", "AAAA"): ["2001:db8::1"],
    ("xn--vv4b11d.test.", "MX"): ["1 mail.test."],
    ("nothing.test.", "TXT"): ["x"],
    ("_ldap._tcp.dc._msdcs.two.test.", "SRV"): [
        "10 0 389 far.two.test.",
        "0 50 389 b.two.test.",
        "0 100 389 A.two.test.",
    ],
    ("_none._tcp.two.test.", "SRV"): ["0 0 0 ."],
}


class NameServer(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.asked = 0

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        if name.startswith("silent"):
            return
        self.asked += 1
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        if (name, kind) in ZONE:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *ZONE[name, kind]))
        elif name.startswith("broken"):
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in {known for known, _ in ZONE}:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), address)


@contextlib.asynccontextmanager
async def resolver() -> AsyncIterator[tuple[Resolver, NameServer]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        yield Resolver(TABLE["any-server-to-dns"], [f"127.0.0.1:{port}"], timeout=0.2, lifetime=0.4), server
    finally:
        transport.close()


def test_mail_hosts() -> None:
    async def test() -> None:
        async with resolver() as (resolve, server):
            two = [MailHost(10, "a.two.test"), MailHost(20, "b.two.test")]
            assert await resolve.mail_hosts("two.test") == two
            asked = server.asked
            assert await resolve.mail_hosts("two.test") == two
            assert server.asked == asked
            assert await resolve.mail_hosts("plain.test") == [MailHost(0, "plain.test")]
            assert await resolve.mail_hosts("예시.test") == [MailHost(1, "mail.test")]

    asyncio.run(test())


@pytest.mark.parametrize(
    ("domain", "status"),
    [
        ("null.test", "5.1.10"),
        ("missing.test", "5.1.2"),
        ("broken.test", "4.4.3"),
        ("silent.test", "4.4.3"),
        ("가" * 70, "5.1.2"),
    ],
)
def test_no_mail_hosts(domain: str, status: str) -> None:
    async def test() -> None:
        async with resolver() as (resolve, _):
            with pytest.raises(DnsError) as raised:
                await resolve.mail_hosts(domain)
            assert raised.value.status == status

    asyncio.run(test())


def test_addresses() -> None:
    async def test() -> None:
        async with resolver() as (resolve, _):
            both = await resolve.addresses("both.test")
            assert sorted(both) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"] and both[1] == "2001:db8::1"
            assert await resolve.addresses("192.0.2.9") == ["192.0.2.9"]
            assert await resolve.addresses("[2001:db8::9]") == ["2001:db8::9"]
            for host, status in {"nothing.test": "5.4.4", "missing.test": "5.4.4", "silent.test": "4.4.3"}.items():
                with pytest.raises(DnsError) as raised:
                    await resolve.addresses(host)
                assert raised.value.status == status

    asyncio.run(test())


def test_services() -> None:
    async def test() -> None:
        async with resolver() as (resolve, _):
            assert await resolve.services("_ldap._tcp.dc._msdcs.two.test") == [
                Service(0, 100, "a.two.test", 389),
                Service(0, 50, "b.two.test", 389),
                Service(10, 0, "far.two.test", 389),
            ]
            for name in ("_none._tcp.two.test", "missing.test", "nothing.test"):
                assert await resolve.services(name) == []
            for name in ("silent.test", "broken.test"):
                with pytest.raises(DnsError) as raised:
                    await resolve.services(name)
                assert raised.value.status == "4.4.3"

    asyncio.run(test())


def test_records_are_told_as_a_zone_file_has_them() -> None:
    async def test() -> None:
        async with resolver() as (resolve, _):
            assert sorted(await resolve.records("two.test", "MX") or ()) == ["10 A.two.test.", "20 b.two.test."]
            assert await resolve.records("nothing.test", "TXT") == ("x",)
            assert await resolve.records("nothing.test", "A") == await resolve.records("no.test", "A") == ()
            assert await resolve.records("silent.test", "A") is None
            assert await resolve.records("a..b", "A") is None

    asyncio.run(test())
