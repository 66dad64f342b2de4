"""The tools of a role that authenticates callers: the directory, the authenticator, RPC, and guards that follow the directory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cached_property

from postern.directory.slapd_adapter import SlapdDirectory
from postern.model.organization import Role
from postern.net.tls import Certificate
from postern.roles.credentials import host_credentials
from postern.roles.open_directory import open_directory
from postern.roles.rpc import Rpc
from postern.roles.runtime import Part, Runtime
from postern.roles.secrets import Secret
from postern.roles.sharing import SharedItems
from postern.services.directory.refresh import DirectoryRefresh
from postern.trust.authenticator import Authenticator
from postern.trust.framing.digest import DigestKeeping, Nonces
from postern.trust.passwords.realm_hash import KeptRealmHashes


class ServerLogon:
    """Authentication in one process. Call `start` first and `stop` last."""

    def __init__(self, runtime: Runtime, part: Part) -> None:
        self._runtime = runtime
        state, self._secrets = runtime.state, runtime.secrets
        self.open_directory = opened = open_directory(runtime, part)
        self.directory = opened.directory
        salt_key = runtime.secrets.read(Secret.SCRAM_SALTS).encode()
        asks = part is Role.CLIENT_ACCESS and runtime.organization.client_certificates is not None
        self.authenticator = Authenticator(
            *(self.directory, host_credentials(runtime), self.directory, opened.domain_logons, salt_key),
            by_certificate=asks,
        )
        self.rpc = Rpc(runtime, self.authenticator)
        self.certificate = Certificate(state.certificates / "server.pem", state.certificates / "server.key")
        self._refresh = DirectoryRefresh(self.authenticator, self.directory, runtime.feed)
        self.guard = self._refresh.guard
        self.before_stop: list[Callable[[], Awaitable[None]]] = []
        """Functions that end what applications began; `stop` calls them first, while all else still answers."""

    @cached_property
    def shared(self) -> SharedItems:
        """The items of others and the rights on them, for a client access process."""
        return SharedItems(self._runtime, self.rpc.calls, self.directory)

    def digest_keeping(self) -> DigestKeeping | None:
        """The tools of HTTP Digest; None in Active Directory, which hands out no hashes."""
        if not isinstance(self.directory, SlapdDirectory):
            return None
        key = self._secrets.read(Secret.DIGEST_NONCES).encode()
        return DigestKeeping(KeptRealmHashes(self.directory), Nonces(key))

    async def start(self) -> None:
        """Reads the directory and starts to follow it. Raises DirectoryUnavailable for our own directory only, which was started
        before this process."""
        await self._refresh.start()

    async def stop(self) -> None:
        for end in self.before_stop:
            await end()
        await self._refresh.stop()
        await self.rpc.close()
        self.authenticator.close()
        await self.open_directory.close()
