"""Folders of others: what the dialogs `acl` and `shared` do not play.

covers: homes, copying, acl, failures
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from postern.model.directory import DirectoryUnavailable, Recipient, RecipientType
from postern.model.folders import EVERYBODY, FolderKind, Right
from postern.model.items import MAX_KEYWORDS, NewItem
from postern.model.mailbox import MailboxError
from postern.model.organization import Limits
from postern.model.sharing import ROLES
from postern.services.imap import selected
from postern.services.imap.session import ImapSession
from tests.services.client_doors import PASSWORD, Doors
from tests.services.fake_item_store import FakeItemStore

HERS = "Other Users/alice@example.test"


class Says:
    """A client. A call sends a command under the tag "t" and returns the lines up to the tagged one, "+" or BYE."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def __call__(self, text: str) -> list[str]:
        self._writer.write(f"t {text}\r\n".encode())
        lines = [await self.line()]
        while not lines[-1].startswith(("t ", "+ ", "* BYE")):
            lines.append(await self.line())
        return lines

    async def line(self) -> str:
        line = await self._reader.readline()
        assert line, "the connection has ended"
        return line.decode().removesuffix("\r\n")


class Shared(Doors):
    """Doors where alice has a mailbox with folders to share."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.items = FakeItemStore()
        super().__init__(self.items, limits)
        self.alice, self.bob = self.directory.mail["alice@example.test"], self.directory.mail["bob@example.test"]

    async def folder(self, name: str) -> int:
        return next(f.id for f in await self.items.folders(self.alice.guid) if f.path == (name,))

    async def grant(self, rights: Right | None, name: str = "INBOX", who: UUID | None = None) -> None:
        """Grants rights in a folder of alice, to bob by default."""
        await self.sharing.set_rights(self.alice, await self.folder(name), who or self.bob.guid, rights)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Shared]:
        async with self.opened("imap4", ImapSession):
            await self.items.logon(self.alice.guid)
            await self.items.logon(self.bob.guid)
            yield self

    @asynccontextmanager
    async def logged_on(self, name: str = "bob") -> AsyncIterator[Says]:
        async with self.dialled(993, b"* OK ") as (reader, writer):
            says = Says(reader, writer)
            assert (await says(f'LOGIN {name} "{PASSWORD}"'))[-1].startswith("t OK")
            yield says


def played(scenario: Callable[[Shared], Awaitable[Any]], limits: Limits | None = None) -> None:
    async def run() -> None:
        async with Shared(limits).running() as doors:
            await scenario(doors)

    asyncio.run(run())


def mails(count: int, size: int = 20) -> list[NewItem]:
    return [NewItem(f"Subject: {number}\r\n\r\n".encode() + b"x" * size) for number in range(count)]


def test_copies_between_mailboxes_keep_flags_keywords_and_dates() -> None:
    async def scenario(doors: Shared) -> None:
        inbox = await doors.folder("INBOX")
        # More than one batch, by their size.
        new = [replace(mail, internal_date=1_000_000_000) for mail in mails(5, 300_000)]
        await doors.items.append(doors.alice.guid, inbox, new)
        await doors.grant(ROLES["editor"])
        async with doors.logged_on() as says:
            await says(f'SELECT "{HERS}/INBOX"')
            await says("STORE 1,3 +FLAGS.SILENT (\\Flagged $Work)")
            assert "[COPYUID " in (await says("COPY 1:5 Archive"))[-1]
            moved = await says("MOVE 5 Archive")
            assert moved[-2:] == ["* 5 EXPUNGE", "t OK MOVE completed"], moved
            await says("SELECT Archive")
            assert (await says("FETCH 1:* (FLAGS RFC822.SIZE)"))[:3] == [
                "* 1 FETCH (FLAGS (\\Flagged $Work \\Recent) RFC822.SIZE 300014)",
                "* 2 FETCH (FLAGS (\\Recent) RFC822.SIZE 300014)",
                "* 3 FETCH (FLAGS (\\Flagged $Work \\Recent) RFC822.SIZE 300014)",
            ]
            assert " 9-Sep-2001" in (await says("FETCH 6 INTERNALDATE"))[0]
        assert (await doors.items.folder(doors.alice.guid, inbox)).messages == 4

    played(scenario)


def test_a_copy_that_does_not_fit_is_taken_back() -> None:
    async def scenario(doors: Shared) -> None:
        inbox = await doors.folder("INBOX")
        await doors.grant(ROLES["editor"])
        async with doors.logged_on() as says:
            bobs = next(f.id for f in await doors.items.folders(doors.bob.guid) if f.kind is FolderKind.INBOX)
            await doors.items.append(doors.bob.guid, bobs, mails(3, 900_000))
            await says("SELECT INBOX")
            # The quota is the owner's, as the directory has it now.
            doors.directory.mail["alice@example.test"] = replace(doors.alice, quota=2_000_000)
            for command in ("COPY", "MOVE"):
                assert (await says(f'{command} 1:3 "{HERS}/INBOX"'))[-1] == "t NO [OVERQUOTA] The mailbox is full"
            assert (await says("FETCH 1:* UID"))[-2] == "* 3 FETCH (UID 3)"
        assert (await doors.items.folder(doors.alice.guid, inbox)).messages == 0

    played(scenario, Limits(mailbox_quota=100_000_000))


def test_a_copy_leaves_out_keywords_for_which_there_is_no_room() -> None:
    async def scenario(doors: Shared) -> None:
        inbox = await doors.folder("INBOX")
        await doors.items.append(doors.alice.guid, inbox, mails(1))
        await doors.grant(ROLES["editor"])
        bobs = next(f.id for f in await doors.items.folders(doors.bob.guid) if f.kind is FolderKind.ARCHIVE)
        await doors.items.keywords(doors.bob.guid, bobs, [f"k{number}" for number in range(MAX_KEYWORDS - 1)], True)
        async with doors.logged_on() as says:
            await says(f'SELECT "{HERS}/INBOX"')
            await says("STORE 1 +FLAGS.SILENT (\\Flagged first second)")
            assert "[COPYUID " in (await says("COPY 1 Archive"))[-1]
            await says("EXAMINE Archive")
            assert (await says("FETCH 1 FLAGS"))[0] == "* 1 FETCH (FLAGS (\\Flagged first \\Recent))"

    played(scenario)


def test_a_move_whose_originals_are_in_doubt_keeps_the_copies() -> None:
    """A server may have removed the originals before the connection to it broke."""

    async def scenario(doors: Shared) -> None:
        inbox = await doors.folder("INBOX")
        await doors.items.append(doors.alice.guid, inbox, mails(2))
        await doors.grant(ROLES["editor"])
        expunge = doors.items.expunge

        async def breaks(*arguments: Any) -> list[int]:
            await expunge(*arguments)
            raise MailboxError("UNAVAILABLE", "The server does not answer")

        async with doors.logged_on() as says:
            await says(f'SELECT "{HERS}/INBOX"')
            _replace(doors.items, "expunge", breaks)
            assert (await says("MOVE 1:2 Archive"))[-1].startswith("t NO [UNAVAILABLE]")
            _replace(doors.items, "expunge", expunge)
            assert (await says("STATUS Archive (MESSAGES)"))[0] == '* STATUS "Archive" (MESSAGES 2)'

    played(scenario)


def test_nobody_gets_below_a_folder_that_is_not_shared() -> None:
    """A right to make folders ends where a folder was shared with nobody, and its rights stay as they are."""

    async def scenario(doors: Shared) -> None:
        for path in (("Team",), ("Team", "Secret"), ("Team", "Secret", "Deep")):
            await doors.items.create_folder(doors.alice.guid, path)
        await doors.grant(ROLES["editor"] | Right.CREATE_SUBFOLDER | Right.OWNER, "Team")
        async with doors.logged_on() as says:
            made = await says(f'CREATE "{HERS}/Team/Ours"')
            assert made[-1].startswith("t OK"), made
            for command in (
                f'CREATE "{HERS}/Team/Secret/x"',
                f'CREATE "{HERS}/Team/Secret/Deep/x/y"',
                f'RENAME "{HERS}/Team/Ours" "{HERS}/Team/Secret/x"',
            ):
                assert (await says(command))[-1] == "t NO [NONEXISTENT] Mailbox doesn't exist", command
            assert (await says(f'SELECT "{HERS}/Team/Secret"'))[-1] == "t NO [NONEXISTENT] Mailbox doesn't exist"
        rights = await doors.items.mailbox_rights(doors.alice.guid)
        names = {folder.id: folder.path for folder in await doors.items.folders(doors.alice.guid)}
        assert {names[folder] for folder, entries in rights.items() if entries} == {("Team",), ("Team", "Ours")}

    played(scenario)


def test_groups_and_everybody() -> None:
    async def scenario(doors: Shared) -> None:
        team = Recipient(uuid4(), RecipientType.GROUP, "Team", "team@example.test", ("team@example.test",))
        doors.directory.mail[team.primary] = team
        doors.directory.groups[doors.bob.guid] = (team.guid,)
        async with doors.logged_on("alice") as alice, doors.logged_on() as bob, doors.logged_on("carol") as carol:
            assert (await alice("SETACL INBOX team@example.test lr"))[-1] == "t OK SETACL completed"
            assert (await alice("GETACL INBOX"))[0].endswith("lriswtekxacd team@example.test lr")
            assert (await bob(f'SELECT "{HERS}/INBOX"'))[-1].startswith("t OK [READ-ONLY]")
            assert (await carol(f'SELECT "{HERS}/INBOX"'))[-1].startswith("t NO [NONEXISTENT]")
            await alice("SETACL INBOX anyone lr")
            assert (await carol(f'SELECT "{HERS}/INBOX"'))[-1].startswith("t OK [READ-ONLY]")
            # The user's own entry counts alone: without rights it denies what the others grant.
            await alice('SETACL INBOX bob ""')
            assert (await bob("NOOP"))[-1] == "* BYE [NOPERM] You may not read the selected mailbox any more"

    played(scenario)


def test_a_grantee_that_is_gone_is_shown_and_removed_by_its_id() -> None:
    async def scenario(doors: Shared) -> None:
        gone = uuid4()
        await doors.grant(Right.VISIBLE, who=gone)
        async with doors.logged_on("alice") as alice:
            assert (await alice("GETACL INBOX"))[0].endswith(f" {gone} l")
            assert (await alice(f"DELETEACL INBOX {gone}"))[-1] == "t OK DELETEACL completed"
            assert (await alice("GETACL INBOX"))[0].endswith("lriswtekxacd")
            assert "NO [CANNOT]" in (await alice(f"DELETEACL INBOX {gone}"))[-1]

    played(scenario)


def test_a_grantee_whose_mailbox_is_gone_is_removed_by_what_is_shown() -> None:
    """The account is still there, and its name names nobody to whom rights could be granted."""

    async def scenario(doors: Shared) -> None:
        await doors.grant(Right.VISIBLE)
        account = doors.directory.accounts["bob@example.test"]
        doors.directory.accounts["bob@example.test"] = replace(account, recipient="")
        del doors.directory.mail["bob@example.test"]
        async with doors.logged_on("alice") as alice:
            shown = (await alice("GETACL INBOX"))[0].split()[-2]
            assert (await alice(f"DELETEACL INBOX {shown}"))[-1] == "t OK DELETEACL completed"
            assert (await alice("GETACL INBOX"))[0].endswith("lriswtekxacd")

    played(scenario)


@pytest.mark.parametrize("identifier", ['""', '"a\x07"', "{3+}\r\n\ue000", '"' + "b" * 1_025 + '"'])
def test_an_identifier_that_is_no_name(identifier: str) -> None:
    """RFC 4314 section 3: SASLprep fails, or nothing is left."""

    async def scenario(doors: Shared) -> None:
        async with doors.logged_on("alice") as alice:
            assert (await alice(f"SETACL INBOX {identifier} lr"))[-1].startswith("t BAD ")

    played(scenario)


def test_who_administers_a_folder_of_another() -> None:
    async def scenario(doors: Shared) -> None:
        await doors.grant(Right.VISIBLE | Right.OWNER)
        async with doors.logged_on() as says:
            name = f'"{HERS}/INBOX"'
            assert (await says(f"SETACL {name} carol lr"))[-1] == "t OK SETACL completed"
            assert (await says(f"GETACL {name}"))[0].endswith("bob@example.test lxa carol@example.test lr")
            assert (await says(f"SETACL {name} alice lr"))[-1].startswith("t NO [CANNOT]")
            # Of the owner it may not read.
            assert (await says(f"SELECT {name}"))[-1].startswith("t NO [NOPERM]")
            assert (await says(f"STATUS {name} (MESSAGES)"))[-1].startswith("t NO [NOPERM]")

    played(scenario)


def test_idle_in_a_folder_of_another() -> None:
    async def scenario(doors: Shared) -> None:
        await doors.grant(ROLES["reviewer"])
        async with doors.logged_on() as says:
            await says(f'SELECT "{HERS}/INBOX"')
            assert await says("IDLE") == ["+ idling"]
            await doors.items.append(doors.alice.guid, await doors.folder("INBOX"), mails(1))
            assert [await says.line(), await says.line()] == ["* 1 EXISTS", "* 1 RECENT"]
            await doors.grant(None)
            assert (await says.line()).startswith("* BYE [NOPERM]")

    played(scenario)


def test_idle_hears_of_rights_that_another_process_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """That process has its own memory of rights; ours is asked once more when it no longer holds."""
    monkeypatch.setattr(selected, "AGAIN", 0.05)

    async def scenario(doors: Shared) -> None:
        await doors.grant(ROLES["reviewer"])
        inbox = await doors.folder("INBOX")
        async with doors.logged_on() as says:
            await says(f'SELECT "{HERS}/INBOX"')
            await says("IDLE")
            await doors.items.set_rights(doors.alice.guid, inbox, doors.bob.guid, None)
            await doors.items.append(doors.alice.guid, inbox, mails(1))
            assert await says.line() == "* 1 EXISTS"
            doors.now += 60
            assert [await says.line(), await says.line()][1].startswith("* BYE [NOPERM]")

    played(scenario)


def test_a_user_without_rights_learns_nothing() -> None:
    """Refused alike: mailboxes that share nothing, that are not there, and folders that are not shared."""

    async def scenario(doors: Shared) -> None:
        await doors.grant(Right.VISIBLE, "Drafts", who=doors.directory.mail["carol@example.test"].guid)
        names = [
            f"{HERS}/INBOX",
            f"{HERS}/Nothing",
            f"{HERS}",
            "Other Users/carol@example.test/INBOX",
            "Other Users/x/y",
        ]
        async with doors.logged_on() as says:
            for name in names:
                quoted = f'"{name}"'
                for command in (
                    *(f"SELECT {quoted}", f"EXAMINE {quoted}", f"STATUS {quoted} (MESSAGES)", f"MYRIGHTS {quoted}"),
                    *(
                        f"GETACL {quoted}",
                        f"SETACL {quoted} bob lr",
                        f"DELETEACL {quoted} bob",
                        f"LISTRIGHTS {quoted} a",
                    ),
                    *(f"DELETE {quoted}", f"RENAME {quoted} a", f"SUBSCRIBE {quoted}", f"GETQUOTAROOT {quoted}"),
                ):
                    assert (await says(command))[-1] == "t NO [NONEXISTENT] Mailbox doesn't exist", command
                assert (await says(f"APPEND {quoted} {{3+}}\r\nabc"))[-1] == "t NO [TRYCREATE] Mailbox doesn't exist"
            assert await says('LIST "" "Other*"') == ["t OK LIST completed"]
            assert (await says(f'UNSUBSCRIBE "{HERS}/INBOX"'))[-1].startswith("t OK")

    played(scenario)


def test_failures_of_directory_and_store() -> None:
    async def scenario(doors: Shared) -> None:
        await doors.grant(ROLES["editor"])
        async with doors.logged_on() as says:
            await says(f'SELECT "{HERS}/INBOX"')
            mailbox_rights = doors.items.mailbox_rights
            _replace(doors.items, "mailbox_rights", _unavailable)
            doors.now += 60
            # One's own folders are listed all the same.
            assert any('"INBOX"' in line for line in await says('LIST "" *'))
            assert (await says(f'STATUS "{HERS}/INBOX" (MESSAGES)'))[-1].startswith("t NO [UNAVAILABLE]")
            assert (await says("FETCH 1 UID"))[-1].startswith("t NO [UNAVAILABLE]")
            _replace(doors.items, "mailbox_rights", mailbox_rights)
            _replace(doors.directory, "groups_of", _down)
            doors.now += 600
            answer = (await says(f'STATUS "{HERS}/INBOX" (MESSAGES)'))[-1]
            assert answer == "t NO [UNAVAILABLE] The directory does not answer"
            listed = await says('LIST "" *')
            assert listed[-1] == "t OK LIST completed" and any('"INBOX"' in line for line in listed)

    played(scenario)


def _replace(part: Any, method: str, by: Any) -> None:
    setattr(part, method, by)


async def _unavailable(*arguments: Any) -> Any:
    raise MailboxError("UNAVAILABLE", "The server does not answer")


async def _down(*arguments: Any) -> Any:
    raise DirectoryUnavailable("nobody is there")


def test_an_address_that_is_no_level_is_left_out() -> None:
    async def scenario(doors: Shared) -> None:
        odd = replace(doors.alice, primary="a/b@example.test", addresses=("a/b@example.test", "alice@example.test"))
        doors.directory.mail |= {"alice@example.test": odd, "a/b@example.test": odd}
        await doors.grant(ROLES["reviewer"], who=EVERYBODY)
        async with doors.logged_on() as says:
            assert await says('LIST "" "Other*"') == ["t OK LIST completed"]
            assert (await says(f'SELECT "{HERS}/INBOX"'))[-1].startswith("t NO [NONEXISTENT]")

    played(scenario)


def test_own_folders_ask_for_no_rights() -> None:
    """What one does in one's own mailbox costs what it cost before there were rights."""

    async def scenario(doors: Shared) -> None:
        _replace(doors.items, "mailbox_rights", _unavailable)
        _replace(doors.items, "rights", _unavailable)
        _replace(doors.directory, "groups_of", _down)
        async with doors.logged_on() as says:
            for command in (
                *(
                    "APPEND INBOX {14+}\r\nSubject: a\r\n\r\n",
                    "SELECT INBOX",
                    "FETCH 1 BODY[]",
                    "STORE 1 +FLAGS (\\Deleted)",
                ),
                *("COPY 1 Archive", "MOVE 1 Archive", "EXPUNGE", "STATUS Archive (MESSAGES)", "CREATE x", "RENAME x y"),
                *("DELETE y", 'LIST "" INBOX', "MYRIGHTS INBOX", "CLOSE"),
            ):
                assert (await says(command))[-1].startswith("t OK"), command

    played(scenario)
