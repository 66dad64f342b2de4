"""The lease and the state of replication, as they stand in an edge's directory: JSON and back. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Lease:
    """Which hub replicates to this edge. `until` is when its preference ends, `beat` when it was last heard of; while it is
    `busy`, `session` writes. Times are seconds since 1970."""

    holder: str
    session: str
    until: float
    beat: float
    busy: bool


@dataclass(frozen=True, slots=True)
class State:
    """How far replication is. `cookie` belongs to the source named `source`; with another source it counts no more."""

    source: str = ""
    cookie: bytes = b""
    full: float = 0.0
    """When the last full synchronization ended; 0: none ever did."""
    synchronized: float = 0.0
    by: str = ""
    recipients: int = 0


def read_lease(text: str) -> Lease | None:
    try:
        found = json.loads(text)
        return Lease(
            str(found["holder"]),
            str(found["session"]),
            float(found["until"]),
            float(found["beat"]),
            found["busy"] is True,
        )
    except (ValueError, KeyError, TypeError):
        return None


def read_state(text: str) -> State:
    try:
        found = json.loads(text)
        return State(
            str(found["source"]),
            base64.b64decode(found["cookie"]),
            float(found["full"]),
            float(found["synchronized"]),
            str(found["by"]),
            int(found["recipients"]),
        )
    except (ValueError, KeyError, TypeError):
        return State()


def write_lease(lease: Lease) -> bytes:
    return json.dumps(asdict(lease), sort_keys=True).encode()


def write_state(state: State) -> bytes:
    cookie = base64.b64encode(state.cookie).decode()
    return json.dumps(asdict(replace(state, cookie=b"")) | {"cookie": cookie}).encode()
