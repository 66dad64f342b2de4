"""What a server costs: CPU seconds and memory over all its processes, as the kernel counts them.

CPU is the sum of user and system time of every live process of a tree and of the children each has already buried, so
that servers with short-lived processes (Postfix, Dovecot) are counted whole. Memory is PSS: shared pages are divided.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(roots: list[int]) -> list[int]:
    """The processes below these, themselves included, that are alive now."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children[int(fields[1])].append(int(entry.name))
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, ()))
    return found


def cpu_seconds(roots: list[int]) -> float:
    """Fields 14 to 17 of proc(5) stat: utime, stime, cutime, cstime."""
    total = 0
    for pid in tree(roots):
        fields = _stat(pid)
        if fields:
            total += sum(int(value) for value in fields[11:15])
    return total / TICKS


def pss_bytes(roots: list[int]) -> int:
    total = 0
    for pid in tree(roots):
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total


def _stat(pid: int) -> list[str]:
    """The fields behind the process's name (which may hold spaces and brackets), [] if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
