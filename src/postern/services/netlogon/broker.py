"""The host's one logon broker: the process that has the secure channel judges NTLM answers for all processes of the host.

`LogonBroker` is served over the unix socket only. The other processes ask it by `BrokerClient`, which judges passwords itself (by
Kerberos, in each process). `client` keeps the channel and chooses its controllers.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from postern.model.directory import Account, DirectoryUnavailable, NtlmLogon, NtlmVerdict
from postern.paths.row import Path
from postern.protocols.dcerpc.interfaces.logon_broker import LOGON_BROKER, LogonBroking
from postern.protocols.dcerpc.pdu import Status
from postern.services.netlogon.client import PATIENCE
from postern.services.rpc.call import Call, RpcFault
from postern.services.rpc.client import RpcClient, RpcError
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.stub import stub
from postern.telemetry.log import Event, log
from postern.trust.pool import Overloaded, Turns

_ATTEMPTS = 3
AT_ONCE = 64
"""Logons of this process that the broker has at once. It reads no more than `rpc.server.MAX_CALLS` of a connection, in the order
in which they come; other logons wait here, where users have fair turns."""
_PAUSE = 0.2
"""Seconds until a broker that did not answer, because it starts again, is asked once more."""


class NtlmJudge(Protocol):
    """The owner of the secure channel: `NetlogonClient`."""

    async def ntlm(self, logon: NtlmLogon) -> NtlmVerdict: ...

    async def close(self) -> None: ...


class PasswordJudge(Protocol):
    """The judge of passwords: `trust.kerberos.passwords.KerberosPasswords`."""

    async def password(self, account: Account, password: str, address: str) -> bool: ...

    def close(self) -> None: ...


class LogonBroker(InterfaceService[LogonBroking]):
    """Serves LOGON_BROKER on `row` (ad-topology). A caller that does not come over the unix socket is refused."""

    def __init__(self, row: Path, judge: NtlmJudge) -> None:
        super().__init__(LOGON_BROKER, row, for_call=self._local)
        self._judge = judge

    async def close(self) -> None:
        await self._judge.close()

    def _local(self, call: Call) -> LogonBroking:
        seal = call.caller.seal
        if seal is None or seal.protocol != "local":
            raise RpcFault(Status.ACCESS_DENIED)
        return self

    async def judge_ntlm(self, logon: NtlmLogon) -> NtlmVerdict:
        return await self._judge.ntlm(logon)


class BrokerClient:
    """Implements `model.directory.Logons`. `rpc` reaches LOGON_BROKER on this host."""

    def __init__(self, rpc: RpcClient, passwords: PasswordJudge) -> None:
        self._rpc = rpc
        self._broker = stub(rpc, LOGON_BROKER)
        self._passwords = passwords
        self._turns = Turns(AT_ONCE)

    async def password(self, account: Account, password: str, address: str) -> bool:
        return await self._passwords.password(account, password, address)

    async def ntlm(self, logon: NtlmLogon) -> NtlmVerdict:
        try:
            async with asyncio.timeout(2 * PATIENCE), self._turns.turn(logon.user.lower(), logon.address):
                return await self._ask(logon)
        except TimeoutError as error:
            raise DirectoryUnavailable("the logon broker does not answer in time") from error
        except Overloaded as error:
            raise DirectoryUnavailable("too many logons wait for the logon broker") from error

    async def _ask(self, logon: NtlmLogon) -> NtlmVerdict:
        for attempt in range(_ATTEMPTS):
            try:
                return await self._broker.judge_ntlm(logon)
            except RpcError as error:
                if error.executed or attempt + 1 == _ATTEMPTS:
                    log(Event.SECURE_CHANNEL_FAILED, path=self._rpc.target.row.id, diagnostic=str(error))
                    raise DirectoryUnavailable("the logon broker does not answer") from error
                await asyncio.sleep(_PAUSE * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    async def close(self) -> None:
        self._passwords.close()
        await self._rpc.close()
