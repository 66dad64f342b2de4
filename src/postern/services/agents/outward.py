"""The agents on the way out, as a carrier in front of the one that sends: what is only the organization's own is taken out of
the header, then the message is signed (DKIM), after everything else that changes it.

Acts on rows that lead to other organizations alone; everything else passes untouched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from postern.model.mail import Action, Carrier, Content, NextHop, Parcel, RecipientOutcome
from postern.protocols.authentication import header as headers
from postern.protocols.authentication.canonical import Canonicalization
from postern.protocols.authentication.dkim import body_hashes, sign
from postern.protocols.mime.header import MAX_HEADER, lines_end
from postern.services.agents.dkim_keys import KeyRing
from postern.services.agents.state import AgentFile, AgentState, Statistics
from postern.services.smtp.data import prepended
from postern.telemetry.attempts import attempting, attempting_apart, strike
from postern.telemetry.log import Event, log
from postern.transport import poison
from postern.transport.agents.dkim_signing import SigningKey, signing_domain
from postern.transport.agents.header_firewall import HeaderFirewall, HeaderFirewallSettings
from postern.transport.segments import DamagedBody

OUTWARD = frozenset({"edge-to-edge", "hub-to-internet"})
"""Rows on which mail leaves the organization."""
FRESH = 2.0
SIGNED_IN_LINE = 65_536
"""Octets of a message that is hashed and signed without a thread."""

_BODY = (Canonicalization.RELAXED, None)


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
        self._firewall = HeaderFirewall(HeaderFirewallSettings(), frozenset())

    async def carry(self, hop: NextHop, parcels: Sequence[Parcel]) -> Sequence[Sequence[RecipientOutcome]]:
        """Per parcel one outcome per recipient, in order (see model.mail.Carrier)."""
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
                log(Event.AGENT_FAILED, agent="header-firewall", error=repr(error), path=hop.path)
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
        self._state = self._file.read()
        try:
            self._signing = self._keys.signing()
        except (OSError, ValueError) as error:
            log(Event.AGENT_FAILED, agent="dkim-signing", error=str(error))

    async def _leaving(self, key: str, parcel: Parcel) -> Content:
        header, body, gone = attempting(key, self._without_our_own, parcel.content)
        field = b""
        if self._signing and self._state.is_enabled("dkim-signing", self._on_edge):
            field = await self._signed(key, header, body, parcel.envelope.sender)
        return prepended(field + header, body) if field or gone else parcel.content

    def _without_our_own(self, content: Content) -> tuple[bytes, Content, tuple[str, ...]]:
        """The header without what is only the organization's own, the body, and the names of what went."""
        begun = time.perf_counter()
        header, body = split(content)
        gone: tuple[str, ...] = ()
        if self._state.is_enabled("header-firewall", self._on_edge):
            header, gone = self._firewall.outward(header)
            self._statistics.add("header-firewall", begun)
        return header, body, gone

    async def _signed(self, key: str, header: bytes, body: Content, sender: str) -> bytes:
        """The signature fields; b"" where there is no key for the sender's domain, or signing fails: it is sent unsigned."""
        begun = time.perf_counter()
        try:
            found, domain = attempting(key, self._domain_of, header, sender)
            if not domain:
                return b""
            work = partial(_sign, found, body, self._signing[domain], self._clock())
            signed = await attempting_apart(body.size > SIGNED_IN_LINE, key, work)
        except Exception as error:
            log(Event.AGENT_FAILED, agent="dkim-signing", error=repr(error))
            self._statistics.add("dkim-signing", begun, error=True)
            return b""
        self._statistics.add("dkim-signing", begun)
        return signed

    def _domain_of(self, header: bytes, sender: str) -> tuple[list[headers.Field], str]:
        """The fields, and the domain in whose name they are signed ("": none)."""
        found = headers.fields(header)
        return found, signing_domain(found, sender, self._signing)


def split(content: Content) -> tuple[bytes, Content]:
    """Header section, and the body with the empty line in front of it. Raises _NoHeader."""
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


class _Rest(Sequence[bytes]):
    """Chunks from a number on, read as they are asked for."""

    def __init__(self, chunks: Sequence[bytes], begin: int) -> None:
        self._chunks = chunks
        self._begin = begin

    def __len__(self) -> int:
        return len(self._chunks) - self._begin

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:  # type: ignore[override]  # as prepended reads it
        if isinstance(index, slice):
            return [self._chunks[self._begin + at] for at in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._chunks[self._begin + index]


def _sign(found: Sequence[headers.Field], body: Content, keys: Sequence[SigningKey], now: float) -> bytes:
    pieces = (chunk.removeprefix(b"\r\n") if number == 0 else chunk for number, chunk in enumerate(body.chunks))
    digest, _ = body_hashes([_BODY], pieces)[_BODY]
    return b"".join(sign(found, digest, key.domain, key.selector, key.key, now) for key in keys)


def _all(parcel: Parcel, action: Action, status: str, text: str) -> list[RecipientOutcome]:
    return [RecipientOutcome(one.address, action, status, text) for one in parcel.envelope.recipients]
