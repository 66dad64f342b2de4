"""A raw TCP client for tests: sends octets as they are, reads SMTP replies, and can start TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

PATIENCE = 20.0


class Talk:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *lines: str | bytes) -> None:
        """Text gets its CRLF; octets go as they are."""
        for line in lines:
            self.writer.write(line if isinstance(line, bytes) else line.encode() + b"\r\n")

    async def reply(self) -> str:
        """One whole reply, its lines joined by \\n; "" when the connection is closed."""
        lines = []
        async with asyncio.timeout(PATIENCE):
            while line := await self.reader.readline():
                lines.append(line.decode().rstrip("\r\n"))
                if lines[-1][3:4] != "-":
                    break
        return "\n".join(lines)

    async def ask(self, *lines: str | bytes) -> str:
        """Sends, and gives the reply to the last of them; each line of text has one reply."""
        self.send(*lines)
        reply = ""
        for _ in lines:
            reply = await self.reply()
        return reply

    async def start_tls(self, context: ssl.SSLContext) -> None:
        assert (await self.ask("STARTTLS")).startswith("220")
        await self.writer.start_tls(context, server_hostname="localhost", ssl_handshake_timeout=PATIENCE)

    async def is_closed(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


@contextlib.asynccontextmanager
async def talk(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Talk]:
    """A connection to 127.0.0.1; with `tls` from the first octet."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None
    )
    try:
        yield Talk(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
