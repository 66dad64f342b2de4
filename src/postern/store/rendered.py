"""Messages on their way into the database: rendered, hashed, and laid out as the parallel arrays of `store_contents`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from postern.protocols.mime.message import RENDERING, Rendered, render
from postern.protocols.mime.stored import is_fit, made_fit
from postern.store import columns
from postern.store.wire import Parameter, byteas, int8, int8s
from postern.telemetry.attempts import attempting_in_thread_if, given_up, strike

T = TypeVar("T")

AT_ONCE = 65_536
"""Octets that are rendered between two turns of the event loop; larger messages are rendered in a thread."""


@dataclass(slots=True)
class Batch:
    """The different messages among those that came, each once. `places` says which of them each message is, counted from 1."""

    contents: list[bytes]
    hashes: list[bytes]
    rendered: list[Rendered]
    places: list[int]

    @staticmethod
    async def of(messages: Sequence[bytes], keys: Sequence[str] = (), exactly: bool = False) -> Batch:
        """Renders messages, after making them fit to be stored (`protocols.mime.stored`) unless they are to be stored `exactly`.
        `keys` names each message while it is rendered (`telemetry.attempts`), in place of its hash. Raises Unrenderable.

        Bound: linear in the messages.
        """
        batch = Batch([], [], [], [])
        place_of: dict[bytes, int] = {}
        since = 0
        for number, message in enumerate(messages):
            content = message
            if not exactly and not is_fit(message):
                key = keys[number] if keys else f"content/{sha256(message).hexdigest()}"
                content = await made(key, made_fit, message, in_thread=True)
            digest = sha256(content).digest()
            place = place_of.get(digest)
            if place is None:
                key = keys[number] if keys else f"content/{digest.hex()}"
                is_large = len(content) > AT_ONCE
                rendered = await made(key, render, content, in_thread=is_large)
                if not is_large:
                    since += len(content)
                    if since > AT_ONCE:
                        since = 0
                        await asyncio.sleep(0)
                batch.contents.append(content)
                batch.hashes.append(digest)
                batch.rendered.append(rendered)
                place = place_of[digest] = len(batch.contents)
            batch.places.append(place)
        return batch

    def parameters(self) -> list[Parameter]:
        """The batch as parameters, in the order of `store_contents`."""
        items = self.rendered
        return [
            int8(RENDERING),
            byteas(self.hashes),
            int8s([r.size for r in items]),
            byteas(self.contents),
            *columns.arrays(items),
        ]


class Unrenderable(Exception):
    """A message could not be rendered, or brought a worker down when it was rendered; `key` names it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


async def made(key: str, make: Callable[[bytes], T], message: bytes, in_thread: bool) -> T:
    """Returns what `make` makes of a message, which has the name `key` meanwhile. Raises Unrenderable where `make` raises, and
    counts that."""
    if (struck := given_up(key)) is not None:
        raise Unrenderable(key, struck.why)
    try:
        return await attempting_in_thread_if(in_thread, key, make, message)
    except Exception as error:
        raise Unrenderable(key, strike(key, error).why) from error


PLACES = 4 + len(columns.COLUMNS)
"""The number of parameters that `Batch.parameters` returns."""


def placeholders(start: int, count: int) -> str:
    """Returns "$start, ..., $(start+count-1)"."""
    return ", ".join(f"${number}" for number in range(start, start + count))
