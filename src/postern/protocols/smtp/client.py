"""The client's half of SMTP (RFC 5321): commands out, possibly pipelined (RFC 2920), and the replies to them in order.

It knows which reply belongs to which command, and what EHLO offered. The service writes content between commands (`stuffed` for
DATA, as it is for BDAT), so that large messages never stand in this machine. The service also decides what a reply means.
"""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass

from postern.model.mail import BodyType, Envelope, EnvelopeRecipient
from postern.protocols.smtp.address import xtext_encode
from postern.protocols.smtp.commands import decode_base64
from postern.protocols.smtp.reply import MAX_REPLY_LINE, Reply, ReplyParser


@dataclass(slots=True)
class CommandReply:
    """The reply to `command`: a verb, "greeting", or "content" (what follows the end of DATA's)."""

    command: str
    reply: Reply


@dataclass(slots=True)
class Broken:
    """The peer sent no SMTP, or a reply to no command; the connection is of no more use. `text` says what is wrong."""

    text: str


class Client:
    """One connection's machine.

    Bound: linear; a line has 4,096 octets, a reply 200 lines.
    """

    def __init__(self) -> None:
        self.extensions: dict[str, str] = {}
        """EHLO keywords in upper case with their parameters (RFC 5321 section 4.1.1.1)."""
        self._buffer = bytearray()
        self._parser = ReplyParser()
        self._awaited: deque[str] = deque(["greeting"])
        self._out: list[bytes] = []
        self._broken = False

    # Bytes

    def receive(self, data: bytes) -> None:
        if not self._broken:
            self._buffer += data

    def outgoing(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    def next_event(self) -> CommandReply | Broken | None:
        while not self._broken:
            end = self._buffer.find(b"\n")
            if end < 0:
                return self._break("reply line too long") if len(self._buffer) > MAX_REPLY_LINE else None
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            if len(line) > MAX_REPLY_LINE:
                return self._break("reply line too long")
            parsed = self._parser.line(line)
            if isinstance(parsed, str):
                return self._break(parsed)
            if parsed is not None:
                return self._answer(parsed)
        return None

    def _answer(self, reply: Reply) -> CommandReply | Broken:
        if not self._awaited:
            return self._break(f"unexpected reply: {reply.words}")
        command = self._awaited.popleft()
        if command == "EHLO" and reply.code == 250:
            self.extensions = _extensions(reply.text)
        return CommandReply(command, reply)

    def _break(self, text: str) -> Broken:
        self._broken = True
        self._buffer.clear()
        return Broken(text)

    # Commands

    def command(self, verb: str, rest: str = "") -> None:
        """Sends any command; its reply comes as CommandReply(verb)."""
        self._out.append(f"{verb} {rest}\r\n".encode() if rest else f"{verb}\r\n".encode())
        self._awaited.append(verb)

    def mail(self, envelope: Envelope, size: int) -> None:
        """Sends MAIL FROM with the parameters that the peer offers and the message needs."""
        arguments = [f"FROM:<{envelope.sender}>"]
        if "SIZE" in self.extensions:
            arguments.append(f"SIZE={size}")
        if "8BITMIME" in self.extensions and envelope.body is not BodyType.SEVEN_BIT:
            arguments.append(f"BODY={envelope.body}")
        if envelope.smtputf8:
            arguments.append("SMTPUTF8")
        if "DSN" in self.extensions:
            arguments += [f"RET={envelope.ret}"] if envelope.ret else []
            arguments += [f"ENVID={xtext_encode(envelope.envelope_id)}"] if envelope.envelope_id else []
        self.command("MAIL", " ".join(arguments))

    def rcpt(self, recipient: EnvelopeRecipient) -> None:
        arguments = [f"TO:<{recipient.address}>"]
        if "DSN" in self.extensions:
            arguments += [f"NOTIFY={','.join(sorted(recipient.notify))}"] if recipient.notify else []
            arguments += [f"ORCPT={_original(recipient.original)}"] if recipient.original else []
        self.command("RCPT", " ".join(arguments))

    def bdat(self, size: int, last: bool) -> None:
        """Puts BDAT for `size` octets into the output. The service writes the octets right behind it, before any reply."""
        self.command("BDAT", f"{size} LAST" if last else str(size))

    def content_follows(self) -> None:
        """Awaits one more reply: DATA was answered 354, and the service writes the content."""
        self._awaited.append("content")

    def auth(self, mechanism: str, initial: bytes | None) -> None:
        """Sends AUTH. An initial response of no octets is "=" (RFC 4954 section 4)."""
        if initial is None:
            self.command("AUTH", mechanism)
        else:
            self.command("AUTH", f"{mechanism} {base64.b64encode(initial).decode() or '='}")

    def response(self, data: bytes | None) -> None:
        """Sends the answer to a 334; None cancels. The reply comes as CommandReply("AUTH")."""
        self._out.append((b"*" if data is None else base64.b64encode(data)) + b"\r\n")
        self._awaited.append("AUTH")

    def upgraded(self) -> bool:
        """Forgets all that was said in clear text (RFC 3207 section 4.2). False if something came behind the answer to STARTTLS:
        then someone stands between."""
        clean = not self._buffer
        self._buffer.clear()
        self.extensions = {}
        return clean


def challenge_of(reply: Reply) -> bytes | None:
    """The octets of a 334; None if they are no base64."""
    return decode_base64(reply.text.strip().encode())


def _extensions(text: str) -> dict[str, str]:
    extensions: dict[str, str] = {}
    for line in text.split("\n")[1:]:
        # Some servers still write "AUTH=LOGIN", as it was before RFC 2554.
        keyword, _, parameters = line.strip().replace("=", " ", 1).partition(" ")
        extensions.setdefault(keyword.upper(), parameters.strip())
    return extensions


def _original(original: str) -> str:
    kind, _, address = original.partition(";")
    # RFC 6533 section 3: "utf-8" addresses were kept in their own encoding.
    return original if kind.lower() == "utf-8" else f"{kind};{xtext_encode(address)}"
