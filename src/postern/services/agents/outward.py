"""The agents on the way out, as a carrier in front of the one that sends. In the catalogue's order, internal fields are taken
out of the header, then the message is signed (DKIM), after everything else that changes it.

Acts on rows that lead to other organizations alone; everything else passes untouched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from postern.model.mail import Action, Carrier, Chunks, Content, NextHop, Parcel, RecipientOutcome
from postern.protocols.mime.header import MAX_HEADER, lines_end
from postern.services.agents.dkim_keys import KeyRing
from postern.services.agents.state import AgentFile, AgentState, Statistics
from postern.services.smtp.data import prepended
from postern.telemetry.attempts import attempting, strike
from postern.telemetry.log import Event, log
from postern.transport import poison
from postern.transport.agents.agent import Agent, LeavingMail
from postern.transport.agents.catalogue import BUILT
from postern.transport.agents.dkim_signing import SigningKey
from postern.transport.segments import DamagedBody

OUTWARD = frozenset({"edge-to-edge", "hub-to-internet"})
"""Rows on which mail leaves the organization."""
FRESH = 2.0


class _NoHeader(Exception):
    """The header section does not end within MAX_HEADER octets."""


class OutwardAgents:
    """A `model.mail.Carrier`; `carrier` is the one that sends."""

    def __init__(
        self,
        carrier: Carrier,
        state: Path,
        secrets: Path,
        statistics: Statistics,
        on_edge: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.max_batch = carrier.max_batch
        self._carrier = carrier
        self._file = AgentFile(state)
        self._keys = KeyRing(secrets)
        self._statistics = statistics
        self._on_edge = on_edge
        self._clock = clock
        self._looked = float("-inf")
        self._state = AgentState()
        self._signing: Mapping[str, list[SigningKey]] = {}
        self._agents = self._enabled()

    async def carry(self, hop: NextHop, parcels: Sequence[Parcel]) -> Sequence[Sequence[RecipientOutcome]]:
        """Returns for each parcel one outcome per recipient, in order (see model.mail.Carrier)."""
        if hop.path not in OUTWARD:
            return await self._carrier.carry(hop, parcels)
        self._refresh()
        ready: list[Parcel] = []
        refused: dict[int, Sequence[RecipientOutcome]] = {}
        for number, parcel in enumerate(parcels):
            try:
                ready.append(parcel._replace(content=await self._leaving(poison.key_of(parcel), parcel)))
            except _NoHeader:
                refused[number] = _all(parcel, Action.FAILED, "5.6.0", "The header section is too large")
            except Exception as error:
                log(Event.AGENT_FAILED, agent="outward", error=repr(error), path=hop.path)
                if not isinstance(error, OSError | DamagedBody):
                    strike(poison.key_of(parcel), error)
                refused[number] = _all(parcel, Action.DELAYED, "4.3.0", "Local error in processing")
            await asyncio.sleep(0)  # a batch of signatures lets others work in between
        carried = iter(await self._carrier.carry(hop, ready) if ready else ())
        return [refused[number] if number in refused else next(carried) for number in range(len(parcels))]

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._looked < FRESH:
            return
        self._looked = now
        state = self._file.read()
        if state is not self._state:
            self._state = state
            self._agents = self._enabled()
        try:
            self._signing = self._keys.signing()
        except (OSError, ValueError) as error:
            log(Event.AGENT_FAILED, agent="dkim-signing", error=str(error))

    def _enabled(self) -> list[Agent[Any]]:
        leaving = [name for name, kind in BUILT.items() if kind.acts("at_leaving")]
        state = self._state
        return [BUILT[name](state.settings_of(name)) for name in leaving if state.is_enabled(name, self._on_edge)]

    async def _leaving(self, key: str, parcel: Parcel) -> Content:
        """The parcel's content as the agents leave it. Raises the error of an agent that `delays`."""
        header, body = attempting(key, split, parcel.content)
        mail = LeavingMail(parcel.envelope.sender, header, body, self._clock(), key, self._signing)
        for agent in self._agents:
            await self._pass(agent, mail)
        return prepended(mail.header, body) if mail.header != header else parcel.content

    async def _pass(self, agent: Agent[Any], mail: LeavingMail) -> None:
        begun = time.perf_counter()
        try:
            acted = await agent.at_leaving(mail)
        except Exception as error:
            if agent.delays:
                raise
            log(Event.AGENT_FAILED, agent=agent.name, error=repr(error))
            self._statistics.add(agent.name, begun, error=True)
        else:
            if acted:
                self._statistics.add(agent.name, begun)


def split(content: Content) -> tuple[bytes, Content]:
    """Returns the header section, and the body with the empty line in front of it. Raises _NoHeader."""
    chunks = content.chunks
    start = chunks[0] if len(chunks) else b""
    taken = 1
    while (end := lines_end(start)) < 0 and taken < len(chunks):
        if len(start) > MAX_HEADER:
            raise _NoHeader
        start += chunks[taken]
        taken += 1
    end = len(start) if end < 0 else end
    rest = Content.of(start[end:])
    if taken < len(chunks):
        rest = prepended(start[end:], Content(_Rest(chunks, taken), content.size - len(start)))
    return start[:end], rest


class _Rest(Chunks):
    """Chunks from a number on, read as they are asked for."""

    def __init__(self, chunks: Sequence[bytes], begin: int) -> None:
        self._chunks = chunks
        self._begin = begin

    def __len__(self) -> int:
        return len(self._chunks) - self._begin

    def chunk(self, number: int) -> bytes:
        return self._chunks[self._begin + number]


def _all(parcel: Parcel, action: Action, status: str, text: str) -> list[RecipientOutcome]:
    return [RecipientOutcome(recipient.address, action, status, text) for recipient in parcel.envelope.recipients]
