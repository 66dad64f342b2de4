"""The lease and the state of replication, as they stand in an edge's directory: JSON and back. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of the hub that replicates to this edge. `until` is when its preference ends, `beat` when it was last heard of.
    While it is `busy`, `session` writes. Times are seconds since 1970."""

    holder: str
    session: str
    until: float
    beat: float
    busy: bool


@dataclass(frozen=True, slots=True)
class State:
    """The state of replication. `cookie` belongs to the source named `source`; with another source it is of no use."""

    source: str = ""
    cookie: bytes = b""
    full: float = 0.0
    """The time when the last full synchronization ended, in seconds since 1970; 0 if none ever did."""
    synchronized: float = 0.0
    by: str = ""
    recipients: int = 0


def read_lease(text: str) -> Lease | None:
    try:
        fields = json.loads(text)
        return Lease(
            str(fields["holder"]),
            str(fields["session"]),
            float(fields["until"]),
            float(fields["beat"]),
            fields["busy"] is True,
        )
    except (ValueError, KeyError, TypeError):
        return None


def read_state(text: str) -> State:
    try:
        fields = json.loads(text)
        return State(
            str(fields["source"]),
            base64.b64decode(fields["cookie"]),
            float(fields["full"]),
            float(fields["synchronized"]),
            str(fields["by"]),
            int(fields["recipients"]),
        )
    except (ValueError, KeyError, TypeError):
        return State()


def write_lease(lease: Lease) -> bytes:
    return json.dumps(asdict(lease), sort_keys=True).encode()


def write_state(state: State) -> bytes:
    cookie = base64.b64encode(state.cookie).decode()
    return json.dumps(asdict(replace(state, cookie=b"")) | {"cookie": cookie}).encode()
