"""A message's content while it comes in: in memory up to a threshold, behind that in a nameless file of the spool folder; and
the Received field that we put in front (RFC 5321 section 4.4).

`receive` decides who may send what; `transport.submission` corrects the header.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from typing import IO

from postern.model.mail import BodyType, Chunks, Content, Envelope
from postern.model.security import Identity, Mechanism, Peer, PrincipalKind, Seal
from postern.protocols.mime.header import MAX_FIELDS, begins_with_field, count_fields, has_too_many_fields, lines_end
from postern.protocols.smtp.reply import Reply
from postern.telemetry.attempts import LIMIT, given_up, strike

READ = 262_144
FULL = Reply(452, "4.3.1", "The queue cannot take a message now")
BROKE = Reply(554, "5.6.0", "This message cannot be handled here: it was tried twice, and the server failed both times")
"""Class 5 (RFC 5321 section 4.2.1), so that its sender does not repeat what would fail again; RFC 3463 X.6.0."""

_NAMED = 2047
"""Octets that identify a message, with its size. To hash more of them hashlib would release the interpreter's lock, and the loop
would wait to get it back."""

_MBOX_LINE = re.compile(rb">?From (?![ \t]*+:)[^\r\n]*+\r\n")


class SpoolError(Exception):
    """The spool folder takes no more: 452 4.3.1."""


class SpooledChunks(Chunks):
    """The beginning of a message in memory, the rest in a file, read as it is asked for, by any thread. The file is closed with
    the last reference to this, so that a reader may outlive the connection and its session."""

    def __init__(self, first: bytes, file: IO[bytes], size: int) -> None:
        self._first = first
        self._file = file
        self._size = size

    def __del__(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return 1 + (self._size + READ - 1) // READ

    def chunk(self, number: int) -> bytes:
        return self._first if number == 0 else os.pread(self._file.fileno(), READ, (number - 1) * READ)


class _PrefixedChunks(Chunks):
    """Some octets, then the chunks of another sequence, read as they are asked for."""

    def __init__(self, first: bytes, others: Sequence[bytes]) -> None:
        self._first = first
        self._others = others

    def __len__(self) -> int:
        return 1 + len(self._others)

    def chunk(self, number: int) -> bytes:
        return self._first if number == 0 else self._others[number - 1]


def prepended(first: bytes, body: Content) -> Content:
    """The message that begins with `first` and goes on with `body`. What is in memory stays one chunk."""
    if len(body.chunks) == 1:
        return Content.of(first + body.chunks[0])
    return Content(_PrefixedChunks(first, body.chunks), len(first) + body.size)


class Gathering:
    """One message's content. The header section must end within the part that stays in memory.

    Bound: linear; `threshold` octets stay in memory, the header section must be among them.
    """

    def __init__(self, folder: Path, threshold: int) -> None:
        self._folder = folder
        self._threshold = threshold
        self._pieces: list[bytes] = []
        self._in_memory = 0
        self._in_file = 0
        self._file: IO[bytes] | None = None
        self._failed = False
        self.ascii = True

    def add(self, data: bytes) -> None:
        """Takes the next piece and removes NULs, which mail may not hold (RFC 5322 section 4): agents would read a field's name
        with a NUL in it as another name than the mailbox does. Never raises: `split` reports a full disk."""
        if b"\0" in data:
            data = data.replace(b"\0", b"")
        self.ascii = self.ascii and data.isascii()
        room = self._threshold - self._in_memory
        if len(data) > room:
            self._spool(memoryview(data)[room:])
            data = data[:room]
        if data:
            self._pieces.append(data)
            self._in_memory += len(data)

    def _spool(self, data: memoryview) -> None:
        self._in_file += len(data)
        if self._failed:
            return
        try:
            if self._file is None:
                # No name: nothing of it is left behind, however this process ends.
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 (until the message ends)
            while data:
                data = data[self._file.write(data) :]
        except OSError:
            self._failed = True

    def key(self) -> str:
        """The name under which attempts at this message are marked and counted. It comes from the octets: a sender does not know
        that a message brought a process down, and sends the same ones again.

        Bound: the first 2,047 octets are looked at.
        """
        name, left = sha256(), _NAMED
        for piece in self._pieces:
            name.update(piece[:left])
            left -= len(piece)
            if left <= 0:
                break
        return f"data/{self._in_memory + self._in_file}/{name.hexdigest()}"

    def split(self) -> tuple[bytes, bytes] | None:
        """Header lines (without the empty line) and what of the rest is in memory, the empty line first. None: no end of the
        header section within what is in memory. Raises SpoolError.

        Content whose first line is no field is a body without a header: the fields that we put in front must not be
        continued by it (RFC 5322 section 2.2.3). The first line of an mbox file is no part of a message."""
        if self._failed:
            raise SpoolError
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        line = _MBOX_LINE.match(data)
        if line is not None:
            data = data[line.end() :]
        if data and not data.startswith(b"\r\n") and not begins_with_field(data):
            return b"", b"\r\n" + data
        end = lines_end(data)
        if end >= 0:
            return data[:end], data[end:]
        return None if self._in_file else (data, b"")

    def content(self, first: bytes) -> Content:
        """The message that begins with `first` (what `split` gave, changed) and goes on with what was spooled. The content owns
        the spooled file from now on."""
        file, self._file = self._file, None
        if file is None:
            return Content((first,), len(first))
        return Content(SpooledChunks(first, file, self._in_file), len(first) + self._in_file)

    def close(self) -> None:
        """Forgets the pieces, and the file if no content was made of it."""
        self._pieces.clear()
        if self._file is not None:
            self._file.close()
            self._file = None


def has_failed(key: str) -> bool:
    """Whether looking at this message brought a process down, or raised, twice."""
    return given_up(key) is not None


def failed_again(key: str, error: Exception) -> bool:
    """Counts an error that looking at a message raised. Returns whether the message is given up now."""
    return strike(key, error).count >= LIMIT


def header_and_rest(gathering: Gathering, most_received: int) -> tuple[bytes, bytes] | Reply:
    """The header section, and what of the rest is in memory; or why the content is refused for its header."""
    try:
        parts = gathering.split()
    except SpoolError:
        return FULL
    if parts is None:
        return Reply(552, "5.3.4", "The header section is too large")
    return refused_header(parts[0], most_received) or parts


class Clock:
    """RFC 5322 dates of a time in seconds; the last one is remembered, for thousands share a second."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def date(self, now: float) -> str:
        second = int(now)
        if second != self._second:
            self._second, self._text = second, formatdate(second).replace("-0000", "+0000")
        return self._text


def with_protocol(extended: bool, envelope: Envelope, identity: Identity, seal: Seal | None) -> str:
    """RFC 3848 and RFC 6531 section 4.3."""
    if not extended:
        return "SMTP"
    # "A" is SMTP's own AUTH; a certificate is part of "S".
    of_smtp = identity.mechanism not in (Mechanism.DIRECT_TRUST, Mechanism.CERTIFICATE)
    authenticated = identity.kind in (PrincipalKind.USER, PrincipalKind.SERVER) and of_smtp
    suffix = ("S" if seal is not None else "") + ("A" if authenticated else "")
    return ("UTF8SMTP" if envelope.smtputf8 else "ESMTP") + suffix


def received_field(
    helo: str, peer: Peer, seal: Seal | None, fqdn: str, protocol: str, envelope: Envelope, date: str
) -> bytes:
    """The trace line (RFC 5321 section 4.4), its TLS clause as RFC 8314 section 4.3 registers it."""
    # RFC 5321 section 4.1.3: an IPv6 literal is tagged.
    literal = f"IPv6:{peer.host}" if ":" in peer.host else peer.host
    tls = f"\r\n\t({seal.protocol}) tls {seal.cipher}" if seal is not None else ""
    # RFC 5321 section 7.6: several recipients are not told of each other.
    single = envelope.recipients[0].address if len(envelope.recipients) == 1 else ""
    recipient = f"\r\n\tfor <{single}>" if single and (single.isascii() or envelope.smtputf8) else ""
    return (
        f"Received: from {helo} ([{literal}])\r\n\tby {fqdn} (Postern) with {protocol}{tls}{recipient};\r\n\t{date}\r\n"
    ).encode()


def refused_header(header: bytes, most_received: int) -> Reply | None:
    """The reply to a message that is refused for its header; None if the header is in order.

    Bound: linear in the header.
    """
    if has_too_many_fields(header):
        # IMAP, DMARC and the filters read no more fields than that.
        return Reply(554, "5.6.0", f"The header has more than {MAX_FIELDS} fields")
    # RFC 5321 section 6.3: each server that had the message put one in front. Most headers have fewer fields than that in all.
    if header.count(b":") > most_received and count_fields(header, b"received") > most_received:
        return Reply(554, "5.4.6", "Too many Received fields: the message loops")
    return None


def with_actual_body_type(envelope: Envelope, content_is_ascii: bool) -> Envelope:
    """The envelope, asking of the next hop no more than the content needs (RFC 6152, RFC 6531 section 3.2)."""
    ascii_addresses = envelope.sender.isascii() and all(r.address.isascii() for r in envelope.recipients)
    body = BodyType.SEVEN_BIT if content_is_ascii else BodyType.EIGHT_BIT_MIME
    utf8 = envelope.smtputf8 and not (content_is_ascii and ascii_addresses)
    if body is envelope.body and utf8 == envelope.smtputf8:
        return envelope
    return Envelope(envelope.sender, envelope.recipients, body, utf8, envelope.envelope_id, envelope.ret)
