"""The assistants over mailbox-assistants: they are woken and asked by mailbox servers, and by nobody else.

covers: protocols.dcerpc.interfaces.mailbox_assistants, assistants
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

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


class Noting:
    """Assistants that note who is woken."""

    def __init__(self) -> None:
        self.woken: list[UUID] = []
        self.down = False

    async def wake(self, mailbox: UUID) -> None:
        self.woken.append(mailbox)

    async def state(self) -> AssistantState:
        if self.down:
            raise MailboxError("UNAVAILABLE", "The database does not answer")
        return AssistantState(1, 2, 3, 4)


async def _asked(account: str, assistants: Noting, profile: Profile = Profile.PRACTICAL) -> AssistantState:
    row = settle(profile)["mailbox-assistants"]
    service = InterfaceService(MAILBOX_ASSISTANTS, row, assistants)
    async with serve(FakeMailboxes(), [service], local_account="MBX1$") as served:
        target = served.target("mailbox-assistants", account)
        client = RpcClient(MAILBOX_ASSISTANTS, replace(target, row=row), Observed(None))
        try:
            calls = stub(client, MAILBOX_ASSISTANTS)
            mailbox = uuid4()
            await calls.wake(mailbox)
            assert assistants.woken == [mailbox]
            return await calls.state()
        finally:
            await client.close()


@pytest.mark.parametrize("profile", [Profile.REFERENCE, Profile.PRACTICAL])
def test_a_mailbox_server_wakes_and_asks(profile: Profile) -> None:
    assert asyncio.run(_asked("MBX1$", Noting(), profile)) == AssistantState(1, 2, 3, 4)


def test_processes_of_the_same_host_use_the_unix_socket() -> None:
    assert asyncio.run(_asked("", Noting())) == AssistantState(1, 2, 3, 4)


@pytest.mark.parametrize("account", ["HUB1$", "CAS1$", "alice"])
def test_others_are_refused(account: str) -> None:
    assistants = Noting()
    with pytest.raises(MailboxError):
        asyncio.run(_asked(account, assistants))
    assert assistants.woken == []


def test_a_database_that_is_away_is_told() -> None:
    assistants = Noting()
    assistants.down = True
    with pytest.raises(MailboxError) as caught:
        asyncio.run(_asked("MBX1$", assistants))
    assert (caught.value.code, str(caught.value)) == ("UNAVAILABLE", "The database does not answer")
