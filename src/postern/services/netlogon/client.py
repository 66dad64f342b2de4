"""The host's secure channel to a domain controller, which judges NTLM answers (MS-NRPC 3.5.4.5.1).

A `Locator` names the controllers. The client dials the endpoint mapper and the port that it names on the caller's row,
authenticates by the machine account and seals. It has one channel and a few connections on it; when a controller does not answer,
it takes the next. Two processes with a channel of one machine account disturb each other: `broker` has the only one of a host.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from postern.model.directory import DirectoryUnavailable, DomainController, Locator, NtlmLogon, NtlmVerdict
from postern.model.security import Mechanism, Seal
from postern.net.door import dial
from postern.paths.row import Path
from postern.protocols.dcerpc.interfaces.netlogon import (
    AUTHENTICATE,
    LOGON,
    NETLOGON,
    REQUEST_CHALLENGE,
    LogonAnswer,
    authenticate_request,
    challenge_request,
    logon_request,
    read_authenticate,
    read_challenge,
    read_logon,
)
from postern.protocols.dcerpc.interfaces.validation import GUEST
from postern.protocols.dcerpc.ndr import NdrError
from postern.protocols.dcerpc.protection import Level
from postern.services.rpc.client import RpcConnection, RpcError, map_port
from postern.telemetry.log import Event, log
from postern.telemetry.observed import Observed
from postern.trust.contexts import SecurityFailure
from postern.trust.ntlm.netlogon import FLAGS, Handshake, NetlogonContext, SecureChannel
from postern.trust.pool import Overloaded, Turns

CONNECTIONS = 4
"""Calls under way at once. A connection has one at a time, because its context numbers requests and answers in one sequence."""
MAX_WAITING = 512
"""Logons that may wait for a connection; with more the client is overloaded."""
ATTEMPT = 3.0
"""Seconds in which a controller must be reached, or answer a call."""
PATIENCE = 10.0
"""Seconds for one logon in all."""
LOGON_FAILURE = 0xC000006D

JUDGED = frozenset(
    {
        0x00000000,
        0xC0000064,  # STATUS_NO_SUCH_USER
        0xC000006A,  # STATUS_WRONG_PASSWORD
        LOGON_FAILURE,
        0xC000006E,  # STATUS_ACCOUNT_RESTRICTION
        0xC000006F,  # STATUS_INVALID_LOGON_HOURS
        0xC0000070,  # STATUS_INVALID_WORKSTATION
        0xC0000071,  # STATUS_PASSWORD_EXPIRED
        0xC0000072,  # STATUS_ACCOUNT_DISABLED
        0xC000015B,  # STATUS_LOGON_TYPE_NOT_GRANTED
        0xC0000193,  # STATUS_ACCOUNT_EXPIRED
        0xC0000198,  # STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT
        0xC0000199,  # STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT
        0xC000019A,  # STATUS_NOLOGON_SERVER_TRUST_ACCOUNT
        0xC0000224,  # STATUS_PASSWORD_MUST_CHANGE
        0xC0000225,  # STATUS_NOT_FOUND: Samba 4.17 for a wrong password
        0xC0000234,  # STATUS_ACCOUNT_LOCKED_OUT
        0xC0000413,  # STATUS_AUTHENTICATION_FIREWALL_FAILED
    }
)
"""NTSTATUS values (MS-ERREF 2.3) that tell about the user; all others tell about the channel or the controller."""


class _ChannelFailed(Exception):
    """This channel cannot be used any more. `blamed` says that its controller is at fault. The text names no secret."""

    def __init__(self, text: str, blamed: bool) -> None:
        super().__init__(text)
        self.blamed = blamed


@dataclass(slots=True)
class _Channel:
    controller: DomainController
    port: int
    secure: SecureChannel
    idle: list[RpcConnection]

    def close(self) -> None:
        for connection in self.idle:
            connection.close()
        self.idle.clear()


class NetlogonClient:
    """Has a domain controller judge NTLM answers; a host has one client. `account` is the machine account (`HUB1$`) and `secret`
    gives its password's NT hash; `domain` is the NetBIOS domain. `mapper` is the real port number of the controllers' endpoint
    mapper."""

    def __init__(
        self,
        row: Path,
        locator: Locator,
        domain: str,
        account: str,
        secret: Callable[[], bytes],
        observed: Observed,
        mapper: int = 135,
    ) -> None:
        self._row = row
        self._locator = locator
        self._domain = domain.upper()
        self._account = account
        self._computer = account.rstrip("$")
        self._secret = secret
        self._observed = observed
        self._mapper = mapper
        self._channel: _Channel | None = None
        self._opening = asyncio.Lock()
        self._turns = Turns(CONNECTIONS, MAX_WAITING)

    async def ntlm(self, logon: NtlmLogon) -> NtlmVerdict:
        """Judges a logon. Users take turns, and so do the addresses of one user. Raises DirectoryUnavailable when no controller
        judges it in time."""
        try:
            async with asyncio.timeout(PATIENCE), self._turns.turn(logon.user.lower(), logon.address):
                return await self._judged(logon)
        except TimeoutError as error:
            raise DirectoryUnavailable("no domain controller judged the logon in time") from error
        except Overloaded as error:
            raise DirectoryUnavailable("too many logons wait for the domain controller") from error

    async def close(self) -> None:
        self._drop(self._channel)

    async def _judged(self, logon: NtlmLogon) -> NtlmVerdict:
        """Asks on the present channel, and if that fails once more on a new one: controllers forget channels."""
        for attempt in range(2):
            channel = await self._open()
            try:
                answer = await self._ask(channel, logon)
            except _ChannelFailed as error:
                if error.blamed or attempt:
                    self._failed(channel.controller, error)
                self._drop(channel)
                continue
            return _verdict(answer, channel.secure)
        raise DirectoryUnavailable("no domain controller judges logons")

    async def _ask(self, channel: _Channel, logon: NtlmLogon) -> LogonAnswer:
        """Asks the controller. Raises _ChannelFailed, and ValueError for a logon that cannot be passed on."""
        stub = logon_request(_unc(channel.controller), self._computer, logon)
        connection: RpcConnection | None = None
        try:
            async with asyncio.timeout(ATTEMPT):
                connection = _lively(channel.idle) or await self._connect(channel)
                answer = read_logon(await connection.call(LOGON, stub))
        except (OSError, TimeoutError, RpcError, SecurityFailure, NdrError) as error:
            raise _ChannelFailed(str(error) or type(error).__name__, isinstance(error, TimeoutError)) from error
        else:
            if answer.status not in JUDGED:
                raise _ChannelFailed(f"NTSTATUS {answer.status:#010x}", True)
            channel.idle.append(connection)
            connection = None
            return answer
        finally:
            if connection is not None:
                connection.close()

    # The channel

    async def _open(self) -> _Channel:
        """Returns the present channel, or opens one to the best controller that accepts us. Raises DirectoryUnavailable."""
        async with self._opening:
            if self._channel is not None:
                return self._channel
            for controller in await self._locator.controllers():
                try:
                    async with asyncio.timeout(ATTEMPT):
                        self._channel = await self._authenticate(controller)
                except (OSError, TimeoutError, RpcError, SecurityFailure, NdrError) as error:
                    self._failed(controller, error)
                    continue
                log(Event.SECURE_CHANNEL, path=self._row.id, peer=controller.fqdn)
                return self._channel
        raise DirectoryUnavailable("no domain controller takes our secure channel")

    async def _authenticate(self, controller: DomainController) -> _Channel:
        """Opens a channel (MS-NRPC 3.1.4.1): both sides prove that they know the machine account's secret."""
        port = await map_port(self._row, controller.address, self._mapper, NETLOGON)
        connection, handshake, server = RpcConnection(), Handshake(self._secret()), _unc(controller)
        await dial(self._row, connection, controller.address, port, self._row.port("rpc"))
        try:
            await connection.bind(NETLOGON, None, Level.NONE)
            request = challenge_request(server, self._computer, handshake.challenge)
            challenge, status = read_challenge(await connection.call(REQUEST_CHALLENGE, request))
            if status:
                raise SecurityFailure(f"challenge refused with NTSTATUS {status:#010x}")
            key = handshake.session_key(challenge)
            proof = handshake.credential(key)
            request = authenticate_request(server, self._account, self._computer, proof, FLAGS)
            answer = read_authenticate(await connection.call(AUTHENTICATE, request))
        finally:
            connection.close()
        if answer.status:
            raise SecurityFailure(f"machine account refused with NTSTATUS {answer.status:#010x}")
        handshake.accept(key, challenge, answer.credential, answer.flags)
        return _Channel(controller, port, SecureChannel(self._domain, self._computer, key), [])

    async def _connect(self, channel: _Channel) -> RpcConnection:
        connection, context = RpcConnection(), NetlogonContext(channel.secure)
        link = await dial(self._row, connection, channel.controller.address, channel.port, self._row.port("rpc"))
        try:
            await connection.bind(NETLOGON, context, Level.PRIVACY)
        except BaseException:
            connection.close()
            raise
        seal = Seal("RPC privacy", context.cipher)
        self._observed.seen(self._row.id, link.peer.host, Mechanism.NETLOGON, seal, time.time())
        return connection

    def _failed(self, controller: DomainController, error: Exception) -> None:
        self._locator.failed(controller)
        diagnostic = str(error) or type(error).__name__
        log(Event.SECURE_CHANNEL_FAILED, path=self._row.id, peer=controller.fqdn, diagnostic=diagnostic)

    def _drop(self, channel: _Channel | None) -> None:
        """Forgets a channel. The calls that are under way on it fail by themselves."""
        if channel is not None:
            channel.close()
            if self._channel is channel:
                self._channel = None


def _lively(idle: list[RpcConnection]) -> RpcConnection | None:
    while idle:
        connection = idle.pop()
        if connection.alive:
            return connection
    return None


def _unc(controller: DomainController) -> str:
    return f"\\\\{controller.fqdn}"


def _verdict(answer: LogonAnswer, channel: SecureChannel) -> NtlmVerdict:
    information = answer.information
    if information is None:
        return NtlmVerdict(answer.status)
    key = channel.user_session_key(information.session_key)
    if information.flags & GUEST or key == bytes(16) or not information.name:
        return NtlmVerdict(LOGON_FAILURE)  # nobody has authenticated
    return NtlmVerdict(0, information.name, key, information.groups)
