"""exchangelib at a door: the core of what scripts do with a mailbox.

covers: folder_rendering, services.ews.operations.convert_id, services.ews.operations.find_folder
covers: services.ews.operations.find_item, services.ews.operations.get_folder
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from exchangelib import BASIC, NTLM
from exchangelib.errors import UnauthorizedError

from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.model.organization import Profile
from postern.paths.table import settle
from postern.services.ews.application import KINDS, METHODS
from tests.services.dav.site import ALICE
from tests.services.ews.exchange import account
from tests.services.ews.site import PATH, EwsDoor

pytestmark = pytest.mark.slow


def message(subject: str) -> bytes:
    return f"From: bob@example.test\r\nTo: {ALICE}\r\nSubject: {subject}\r\n\r\nHello\r\n".encode()


def test_folders_and_messages_are_read(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            guid = door.guid(ALICE)
            await door.mailboxes.logon(guid)
            inbox = next(node.id for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.INBOX)
            await door.mailboxes.create(guid, inbox, [NewItem(message(f"Lunch {number}")) for number in range(3)])

            def read() -> tuple[list[str], list[str], int]:
                mine = account(door, tmp_path, ALICE)
                subjects = sorted(item.subject for item in mine.inbox.all().only("subject"))
                return subjects, sorted(folder.name for folder in mine.msg_folder_root.children), mine.inbox.total_count

            subjects, names, total = await door.beside(read)
            assert subjects == ["Lunch 0", "Lunch 1", "Lunch 2"] and total == 3
            assert "Calendar" in names and "INBOX" in {name.upper() for name in names}

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("profile", "auth_type", "opens"),
    [
        (Profile.REFERENCE, NTLM, True),
        (Profile.REFERENCE, BASIC, False),
        (Profile.PRACTICAL, NTLM, True),
        (Profile.PRACTICAL, BASIC, True),
    ],
)
def test_the_profile_says_how_a_client_proves_itself(
    tmp_path: Path, profile: Profile, auth_type: str, opens: bool
) -> None:
    async def steps() -> None:
        door = EwsDoor()
        row = settle(profile)["availability"]
        route = door.route(PATH.lower(), door.application, (row,), METHODS, body=1 << 20, kinds=KINDS)

        def read() -> int:
            return int(account(door, tmp_path, ALICE, auth_type).inbox.total_count)

        async with door.opened(route):
            await door.mailboxes.logon(door.guid(ALICE))
            if opens:
                assert await door.beside(read) == 0
            else:
                with pytest.raises(UnauthorizedError):
                    await door.beside(read)

    asyncio.run(steps())
