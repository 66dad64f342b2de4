"""The assistants over mailbox-assistants: they are asked by mailbox servers, and by nobody else.

covers: protocols.dcerpc.interfaces.mailbox_assistants, assistants
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from postern.model.assistants import AssistantState
from postern.model.mailbox import MailboxError
from postern.model.organization import Profile
from postern.paths.table import settle
from postern.protocols.dcerpc.interfaces.mailbox_assistants import MAILBOX_ASSISTANTS
from postern.services.rpc.client import RpcClient
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.stub import stub
from postern.telemetry.observed import Observed
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.rpc_parts import ROWS, serve

ROW = ROWS["mailbox-assistants"]


class Asked:
    """Assistants that count how often they are asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False

    async def state(self) -> AssistantState:
        self.asked += 1
        if self.down:
            raise MailboxError("UNAVAILABLE", "The database does not answer")
        return AssistantState(1, 2, 3, 4)


async def _asked(account: str, assistants: Asked, profile: Profile = Profile.PRACTICAL) -> AssistantState:
    row = settle(profile)["mailbox-assistants"]
    service = InterfaceService(MAILBOX_ASSISTANTS, row, assistants)
    async with serve(FakeMailboxes(), [service], local_account="MBX1$") as served:
        target = served.target("mailbox-assistants", account)
        client = RpcClient(MAILBOX_ASSISTANTS, replace(target, row=row), Observed(None))
        try:
            return await stub(client, MAILBOX_ASSISTANTS).state()
        finally:
            await client.close()


@pytest.mark.parametrize("profile", [Profile.REFERENCE, Profile.PRACTICAL])
def test_a_mailbox_server_asks(profile: Profile) -> None:
    assert asyncio.run(_asked("MBX1$", Asked(), profile)) == AssistantState(1, 2, 3, 4)


def test_processes_of_the_same_host_use_the_unix_socket() -> None:
    assert asyncio.run(_asked("", Asked())) == AssistantState(1, 2, 3, 4)


@pytest.mark.parametrize("account", ["HUB1$", "CAS1$", "alice"])
def test_others_are_refused(account: str) -> None:
    assistants = Asked()
    with pytest.raises(MailboxError):
        asyncio.run(_asked(account, assistants))
    assert assistants.asked == 0


def test_a_database_that_is_away_is_told() -> None:
    assistants = Asked()
    assistants.down = True
    with pytest.raises(MailboxError) as caught:
        asyncio.run(_asked("MBX1$", assistants))
    assert (caught.value.code, str(caught.value)) == ("UNAVAILABLE", "The database does not answer")
