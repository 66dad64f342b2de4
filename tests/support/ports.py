"""Ports that nobody uses, for tests that run beside others on the same machine.

A port that is free when it is chosen may be taken before it is opened, and our doors share their ports with other processes of
the same account (SO_REUSEPORT), so two that found the same one would answer each other's calls. Hence the processes of a parallel
run choose from ports of their own, none chooses a port twice as long as there are others, and chance keeps separate runs apart:
not `random`'s, which property tests set back.
"""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterable, Iterator

DOORS = (25, 80, 110, 135, 143, 443, 465, 587, 993, 995, *range(20000, 20020))
"""What the default organization opens, its RPC range included."""

_CHANCE = random.SystemRandom()
# Below the kernel's ephemeral range (32768-60999), so that no client's own port takes it meanwhile, and between the doors of
# shifted organizations and their RPC ranges.
_PORTS = range(17_500, 20_900)
_OFFSETS = range(1_000, 12_000)


def share(whole: range, apart: int = 0) -> range:
    """The part of a range that this process of a parallel run chooses from; the next one's begins `apart` numbers behind it."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    each = len(whole) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    assert each > apart, "too many processes for so few ports"
    return whole[worker * each : (worker + 1) * each - apart]


def _in_turn(numbers: range) -> Iterator[int]:
    return itertools.cycle(_CHANCE.sample(numbers, len(numbers)))


_ports = _in_turn(share(_PORTS))
_offsets = _in_turn(share(_OFFSETS, 1000))  # one organization's doors lie within 1,000 ports: 25 to 995


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    return next(port for port in itertools.islice(_ports, len(_PORTS)) if _free("127.0.0.1", port))


def free_offset(doors: Iterable[int] = DOORS, host: str = "127.0.0.1") -> int:
    """A shift for which all these ports are free now."""
    wanted = tuple(doors)
    return next(
        offset
        for offset in itertools.islice(_offsets, len(_OFFSETS))
        if all(_free(host, port + offset) for port in wanted)
    )


def _free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
