"""What a role that asks who is there needs: the directory, the authenticator, RPC, and guards that follow the directory."""

from __future__ import annotations

from postern.directory.ad.adapter import DomainDirectory
from postern.net.tls import Certificate
from postern.roles.open_directory import open_directory
from postern.roles.rpc import Rpc
from postern.roles.runtime import Part, Runtime
from postern.roles.secrets import Secret
from postern.services.directory.refresh import DirectoryRefresh
from postern.trust.authenticator import Authenticator


class ServerLogon:
    """What one process knows of who logs on. `start` is called first, `stop` last."""

    def __init__(self, runtime: Runtime, part: Part) -> None:
        organization, state = runtime.organization, runtime.state
        self.open_directory = opened = open_directory(runtime, part)
        self.directory = opened.directory
        self.authenticator = Authenticator(
            self.directory,
            self.directory,
            server_name=runtime.server.name,
            domain=organization.name,
            realm=organization.realm,
            keytab=organization.keytab,
            salt_key=runtime.secrets.read(Secret.SCRAM_SALTS).encode(),
            proofs=opened.proofs,
            netbios=opened.netbios,
            servers=self.directory.servers_sid if isinstance(self.directory, DomainDirectory) else None,
        )
        judge = self.authenticator
        self.rpc = Rpc(runtime, self.directory, judge.proofs, opened.membership, judge.reauthorization)
        self.certificate = Certificate(state.certificates / "server.pem", state.certificates / "server.key")
        self._refresh = DirectoryRefresh(self.authenticator, self.directory, runtime.feed)
        self.guard = self._refresh.guard

    async def start(self) -> None:
        """Raises DirectoryUnavailable where the directory is our own: it was started before us."""
        await self._refresh.start()

    async def stop(self) -> None:
        await self._refresh.stop()
        await self.rpc.close()
        self.authenticator.close()
        await self.open_directory.close()
