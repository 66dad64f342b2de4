"""Worst cases of what reads mail servers: protocols.smtp."""

from __future__ import annotations

from functools import partial

from postern.protocols.smtp import address, client, commands, content, lines, reply
from postern.protocols.smtp.bounds import ServerBounds
from postern.protocols.smtp.server import Server
from tests.bounds.growth import Cases, Work, pieces
from tests.protocols.smtp.test_server import ENVELOPE, Played

S = "protocols.smtp."


def _server(size: int, line: bytes) -> Work:
    wire = pieces(line * (size // len(line)), 1000)

    def work() -> None:
        machine = Server(ServerBounds(errors=1 << 30))
        for piece in wire:
            machine.receive(piece)
            while machine.next_event() is not None:
                pass

    return work


def _played(wire: bytes) -> Work:
    return lambda: Played(wire, list(range(0, len(wire), 500)))


def _client(size: int, line: bytes) -> Work:
    def work() -> None:
        machine = client.Client()
        for piece in pieces(line * (size // len(line)), 100):
            machine.receive(piece)
            while machine.next_event() is not None:
                machine.command("NOOP")

    return work


def _buffered(make, wire: bytes, step: int) -> Work:  # type: ignore[no-untyped-def]  # a reader of either kind
    def work() -> None:
        reader, buffer = make(), bytearray()
        for piece in pieces(wire, step):
            buffer += piece
            while buffer:
                size = len(buffer)
                reader.take(buffer)
                if len(buffer) == size:
                    break

    return work


def _chunks(wire: bytes) -> Work:
    def work() -> None:
        reader = content.ChunkReader()
        for piece in pieces(wire, 100):
            reader.look(piece, False)

    return work


def _replies(size: int) -> Work:
    def work() -> None:
        parser = reply.ReplyParser()
        for _ in range(size // 4):
            parser.line(b"250-")

    return work


CASES: Cases = {
    S + "address.parse_path: a route": lambda size: partial(address.parse_path, "<" + "@a," * (size // 3)),
    S + "address.parse_path: quotes": lambda size: partial(address.parse_path, '<"' + "\\ " * (size // 2)),
    S + "address.parse_mailbox: hyphens": lambda size: partial(address.parse_mailbox, "a@" + "a-" * (size // 2)),
    S + "address.parse_mailbox: labels": lambda size: partial(address.parse_mailbox, "a@" + "a." * (size // 2)),
    S + "address.parse_mailbox: dots": lambda size: partial(address.parse_mailbox, "a." * (size // 2)),
    S + "address.xtext_decode": lambda size: partial(address.xtext_decode, "+41" * (size // 3)),
    S + "client.Client: lines": lambda size: _client(size, b"250-a\r\n"),
    S + "client.Client: replies": lambda size: _client(size, b"250 a\r\n"),
    S + "commands.parse_mail": lambda size: partial(commands.parse_mail, "FROM:<a@b>" + " A=B" * (size // 4), 1),
    S + "commands.parse_rcpt": lambda size: partial(
        commands.parse_rcpt, "TO:<a@b> NOTIFY=" + "SUCCESS," * (size // 8), True
    ),
    S + "commands.parse_auth": lambda size: partial(commands.parse_auth, "PLAIN " + "A" * size + "!"),
    S + "content.DotReader: dots": lambda size: _buffered(content.DotReader, b"\r\n." * (size // 3), 50),
    S + "content.DotReader: no line end": lambda size: _buffered(content.DotReader, b"\r" * size, 50),
    S + "content.ChunkReader": lambda size: _chunks(b"\r" * size),
    S + "lines.LineReader: no line end": lambda size: _buffered(lambda: lines.LineReader(4096), b"x" * size, 7),
    S + "lines.LineReader: empty lines": lambda size: _buffered(
        lambda: lines.LineReader(4096), b"\r\n" * (size // 2), 99
    ),
    S + "reply.ReplyParser": _replies,
    S + "server.Server: commands": lambda size: _server(size, b"NOOP\r\n"),
    S + "server.Server: recipients": lambda size: _played(ENVELOPE + b"RCPT TO:<b@y.test>\r\n" * (size // 20)),
    S + "server.Server: content": lambda size: _played(ENVELOPE + b"DATA\r\n" + b"\r\n.." * (size // 4)),
    S + "server.Server: chunks": lambda size: _played(ENVELOPE + b"BDAT 1\r\nx" * (size // 9)),
}
