"""The edge's keeper of accounts: the only process of an edge that writes the accounts that may replicate to it."""

from __future__ import annotations

from postern.directory.adam.accounts import AdamAccounts
from postern.directory.adam.client import AdamClient, simple
from postern.directory.adam.layout import ADMINISTRATOR
from postern.directory.ldap.client import socket_uri
from postern.model.security import Mechanism
from postern.roles.runtime import Runtime
from postern.roles.secrets import Secret
from postern.services.edge.credentials import AccountKeeper


class EdgeCredentials:
    """A started keeper."""

    def __init__(self, runtime: Runtime) -> None:
        state, name = runtime.state, runtime.server.name
        uri = socket_uri(str(state.sockets / "adam" / "ldapi"))
        bind = simple(ADMINISTRATOR, runtime.secrets.read(Secret.ADAM))
        self.client = AdamClient(runtime.rows["edge-adam"], uri, bind, Mechanism.BASIC)
        key = state.certificates / "server.key"
        self.keeper = AccountKeeper(AdamAccounts(self.client), name, key.read_bytes)

    async def stop(self) -> None:
        await self.keeper.stop()
        await self.client.close()


async def start(runtime: Runtime) -> EdgeCredentials:
    started = EdgeCredentials(runtime)
    started.keeper.start()
    return started
