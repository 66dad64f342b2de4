"""A small authoritative name server on 127.0.0.1: ("name", "TXT") to records, over UDP and TCP, for what asks DNS in tests."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], Sequence[str]]


class NameServer(asyncio.DatagramProtocol):
    """A name that stands nowhere does not exist; ("name", "?") never answers. `asked` counts questions by name."""

    def __init__(self, zone: Zone) -> None:
        self.zone = dict(zone)
        self.asked: dict[str, int] = {}
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        answer = self._answer(data)
        if answer is not None:
            wire = answer.to_wire()
            if len(wire) > 1232:
                answer.answer.clear()
                answer.flags |= dns.flags.TC
                wire = answer.to_wire()
            self.transport.sendto(wire, address)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            answer = self._answer(await reader.readexactly(size))
            if answer is not None:
                wire = answer.to_wire()
                writer.write(struct.pack("!H", len(wire)) + wire)
                await writer.drain()
        writer.close()

    def _answer(self, data: bytes) -> dns.message.Message | None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked[name] = self.asked.get(name, 0) + 1
        if (name, "?") in self.zone:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        records = self.zone.get((name, kind), ())
        if records:
            texts = [_quoted(one) if kind == "TXT" else one for one in records]
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        elif name not in {known for known, _ in self.zone}:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


def _quoted(text: str) -> str:
    """Strings of 255 octets at most (RFC 1035 section 3.3)."""
    parts = [text[at : at + 255] for at in range(0, len(text), 255)] or [""]
    return " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)


@contextlib.asynccontextmanager
async def serving(zone: Zone) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    server = NameServer(zone)
    stream = await asyncio.start_server(server.stream, "127.0.0.1", 0)
    server.port = stream.sockets[0].getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", server.port))
    try:
        yield server
    finally:
        transport.close()
        stream.close()
        await stream.wait_closed()
