"""Ports that nobody uses, for tests that run beside others on the same machine.

Chance chooses them, and not `random`'s, which property tests set back: our doors share their ports with other processes of the
same account (SO_REUSEPORT), so two test runs that found the same free port would answer each other's calls.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

DOORS = (25, 110, 135, 143, 465, 587, 993, 995, *range(20000, 20020))
"""What the default organization opens, its RPC range included."""

_CHANCE = random.SystemRandom()
# Below the kernel's ephemeral range (32768-60999), so that no client's own port takes it meanwhile, and between the doors of
# shifted organizations and their RPC ranges.
_PORTS = range(17_500, 20_900)
_OFFSETS = range(1_000, 12_000)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now."""
    return next(port for port in _CHANCE.sample(_PORTS, 1000) if _free("127.0.0.1", port))


def free_offset(doors: Iterable[int] = DOORS, host: str = "127.0.0.1") -> int:
    """A shift for which all these ports are free now."""
    wanted = tuple(doors)
    return next(
        offset for offset in _CHANCE.sample(_OFFSETS, 1000) if all(_free(host, port + offset) for port in wanted)
    )


def _free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
