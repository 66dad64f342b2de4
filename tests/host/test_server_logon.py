"""One process watches over everybody who is logged on once, by whichever door they came, and ends the watch when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from postern.model.directory import Account
from postern.model.organization import Role, StateFolder
from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.roles import server_logon
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from tests.transport.world import organization


def test_imap_and_rpc_share_one_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Directory:
        async def accounts_by_guid(self, guids: Sequence[UUID]) -> dict[UUID, Account]:
            asked.append(len(guids))
            return {}

        async def close(self) -> None: ...

    directory = Directory()
    opened = SimpleNamespace(directory=directory, domain_logons=None, close=directory.close)
    monkeypatch.setattr(server_logon, "open_directory", lambda runtime, part: opened)
    state = StateFolder(tmp_path, tmp_path)
    state.secrets.mkdir()
    for name in ("scram-salts", "machine-account"):
        (state.secrets / name).write_text("secret")
    found = organization()
    runtime = Runtime.of_worker(found, found.servers[0], state, "hub.0")

    async def main() -> None:
        process = ServerLogon(runtime, Role.CLIENT_ACCESS)
        watch = process.authenticator.reauthorization
        assert process.rpc._authenticator.reauthorization is watch
        user = Identity(PrincipalKind.USER, "alice", Mechanism.BASIC, guid=uuid4())
        watch.register(user, lambda: None)
        process.rpc._authenticator.reauthorization.register(user, lambda: None)
        await watch.round()
        assert asked == [1]
        ended: list[str] = []

        async def end() -> None:
            assert not watching.done(), "all else still answers"
            ended.append("notifications")

        process.before_stop.append(end)
        (watching,) = asyncio.all_tasks() - {asyncio.current_task()}
        await process.stop()
        await asyncio.wait([watching])
        assert watching.cancelled(), "the watch is over"
        assert ended == ["notifications"]

    asyncio.run(main())
