"""Plays a scripted dialog (tests/dialogs/imap, tests/dialogs/pop3) against doors, line by line, over TLS.

"C:" sends a line, "S:" expects exactly this line, "S~" a regular expression, "S..." passes lines over up to this one; a number
behind the letter names another connection, which logs on as the same user, or with "@as NUMBER NAME" as that one.
"@message SUBJECT" appends a message of some 26 octets to INBOX, "@select NAME" selects it, "@stranger" leaves the first
connection unauthenticated, "@pop3" speaks POP3 from here on, "@limits NAME=NUMBER ..." sets limits, "@full NAME" grants that
user full access to the mailbox of alice. Empty lines and "#" say nothing.

Numbers that a store chooses are written <name>, of letters and digits, a letter first: what stands there the first time it is
expected must stand there every other time, and is sent in its place.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from postern.model.mailbox_server import Mailboxes
from postern.model.organization import Limits
from postern.services.imap.session import ImapSession
from postern.services.pop3.session import Pop3Session
from tests.services.client_doors import PASSWORD, Doors
from tests.services.fake_item_store import FakeItemStore

TIMEOUT = 20.0
_CHOSEN = re.compile(r"<([a-z][a-z0-9]*)>")
_LINE = re.compile(r"([CS])(\d?)(:|~|\.\.\.)(?: (.*))?$")


class Player:
    def __init__(self, script: str, mailboxes: Mailboxes | None = None) -> None:
        self._mailboxes = mailboxes or FakeItemStore()
        self._lines = script.split("\n")
        self._connections: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
        self._numbers: dict[str, str] = {}
        self._number = 0
        self._pop3 = False
        self._users = dict(line.split()[1:] for line in self._lines if line.startswith("@as "))
        self._stranger = "@stranger" in self._lines
        self._doors: Doors

    async def play(self) -> None:
        given = next((line.split()[1:] for line in self._lines if line.startswith("@limits")), [])
        limits = Limits(**{name: int(value) for name, value in (pair.split("=") for pair in given)})
        self._doors = Doors(self._mailboxes, limits)
        directory = self._doors.directory
        for address in directory.mail:  # each dialog has mailboxes of its own
            guid = uuid4()
            directory.mail[address] = replace(directory.mail[address], guid=guid)
            directory.accounts[address] = replace(directory.accounts[address], guid=guid)
        await self._doors.open("imap4", ImapSession)
        await self._doors.open("pop3", Pop3Session)
        try:
            for at, line in enumerate(self._lines, 1):
                async with asyncio.timeout(TIMEOUT):
                    await self._step(at, line)
        finally:
            for _, writer in self._connections.values():
                writer.close()
            await self._doors.close()

    async def _step(self, at: int, line: str) -> None:
        if line.startswith("@message"):
            text = f"Subject: {line.removeprefix('@message ')}\r\n\r\nfirst body"
            await self._command(f"APPEND INBOX {{{len(text)}+}}\r\n{text}")
        elif line.startswith("@select"):
            await self._command("SELECT " + line.removeprefix("@select "))
        elif line.startswith("@full"):
            alice, holder = (self._doors.directory.mail[f"{name}@example.test"] for name in ("alice", line.split()[1]))
            await self._doors.sharing.set_full_access(alice, holder.guid, True)
        elif line.startswith("@pop3"):
            self._pop3 = True
            self._connections.clear()
        match = _LINE.match(line)
        if match is None:
            assert not line or line[0] in "@#", f"line {at}: {line}"
            return
        side, which, how, text = match.group(1), match.group(2), match.group(3), match.group(4) or ""
        reader, writer = await self._connection(which)
        if side == "C":
            writer.write(_CHOSEN.sub(lambda name: self._numbers[name[1]], text).encode() + b"\r\n")
            return
        said = (await reader.readline()).decode()
        while how == "..." and not self._is(said.removesuffix("\r\n"), text):
            assert said.startswith("* "), f"line {at}: {said!r}"
            said = (await reader.readline()).decode()
        said = said.removesuffix("\r\n")
        if how == "~":
            assert re.fullmatch(text, said), f"line {at}: {said}"
        else:
            assert self._is(said, text), f"line {at}: {said}"

    def _is(self, said: str, text: str) -> bool:
        """Whether what was said is this line."""
        pieces = _CHOSEN.split(text)
        if len(pieces) == 1:
            return said == text
        names = pieces[1::2]
        match = re.fullmatch(r"(\d+)".join(map(re.escape, pieces[::2])), said)
        return match is not None and all(
            self._numbers.setdefault(name, number) == number for name, number in zip(names, match.groups(), strict=True)
        )

    async def _connection(self, which: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if which not in self._connections:
            port = self._doors.ports[995 if self._pop3 else 993]
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=self._doors.client_tls())
            await reader.readline()
            self._connections[which] = (reader, writer)
            if not self._pop3 and not (self._stranger and not which):
                user = self._users.get(which, "alice")
                await self._command(f'LOGIN {user}@example.test "{PASSWORD}"', which)
        return self._connections[which]

    async def _command(self, text: str, which: str = "") -> None:
        reader, writer = await self._connection(which)
        self._number += 1
        tag = f"T{self._number} "
        writer.write(f"{tag}{text}\r\n".encode())
        while not (line := (await reader.readline()).decode()).startswith(tag):
            assert line, "connection lost"
        assert line.startswith(tag + "OK"), line


def scripts(folder: str) -> list[Path]:
    return sorted((Path(__file__).parents[1] / "dialogs" / folder).glob("*.txt"))
