"""The accounts that servers run as. Nothing of Postern that answers a network runs as root. If root starts it, PostgreSQL, slapd
and the roles run under one unprivileged account, which owns the state folder; if a user starts it, they run as that user.

Reads the machine's accounts. A role keeps of root's powers only the right to bind ports below 1024; and, where the
program itself lies in a folder that only root can enter, the right to read (Python imports modules when it needs them).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import stat
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

NAMES = ("postern", "nobody")
"""Tried in this order when root starts the servers; `make setup` makes the first."""

_libc = ctypes.CDLL(None, use_errno=True)

# prctl(2) and capability.h
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_READ_SEARCH = 2
_CAP_NET_BIND_SERVICE = 10


@dataclass(frozen=True, slots=True)
class Account:
    """A Unix account: what `subprocess.Popen(user=..., group=..., extra_groups=())` and `chown` want."""

    name: str
    uid: int
    gid: int


def serving() -> Account:
    """The account that PostgreSQL, slapd and the roles run as: our own, or, for root, an unprivileged one.

    Raises LookupError on a machine that has neither "postern" nor "nobody".
    """
    if os.geteuid() != 0:
        return Account(_name(os.geteuid()), os.geteuid(), os.getegid())
    for name in NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise LookupError("this machine has no account 'postern': useradd --system postern")


def owner(path: str | os.PathLike[str]) -> Account:
    """The account a file belongs to. Raises OSError."""
    status = os.stat(path)
    return Account(_name(status.st_uid), status.st_uid, status.st_gid)


def become(account: Account, keep_low_ports: bool = False) -> None:
    """Turns this whole process into `account`, for good. Nothing happens if it is that already.

    With `keep_low_ports` the right to bind ports below 1024 stays. Raises OSError.
    """
    if os.geteuid() != 0 or account.uid == 0:
        return
    kept = [_CAP_NET_BIND_SERVICE] if keep_low_ports else []
    if program_hidden_from(account) is not None:
        kept.append(_CAP_DAC_READ_SEARCH)
    if kept:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    if kept:
        _keep_only(kept)
        _prctl(_PR_SET_KEEPCAPS, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def program_hidden_from(account: Account) -> Path | None:
    """The folder that keeps `account` from reading Postern or its Python; None if it can read them."""
    for location in (__file__, sys.prefix, sys.base_prefix):
        barrier = barrier_to(Path(location).resolve(), account)
        if barrier is not None:
            return barrier
    return None


def barrier_to(path: Path, account: Account) -> Path | None:
    """The first of the folders above `path` that `account` may not pass; None if it may pass all."""
    for parent in reversed(path.parents):
        status = parent.stat()
        if status.st_uid == account.uid:
            bit = stat.S_IXUSR
        elif status.st_gid == account.gid:
            bit = stat.S_IXGRP
        else:
            bit = stat.S_IXOTH
        if not status.st_mode & bit:
            return parent
    return None


def stay_inspectable() -> None:
    """Lets the same account read /proc/PID/fd of this process and its forks again (proc(5)). Call it after `become`: the
    supervisor reads there which sockets they hold. A process that holds fewer capabilities still cannot read it."""
    _prctl(_PR_SET_DUMPABLE, 1)


def die_with(parent: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Asks the kernel to send the signal `how` to this child when `parent` dies. Call it after `become`, for a change of
    credentials undoes it (prctl(2)). A child whose parent died before the call ends at once.
    """
    _prctl(_PR_SET_PDEATHSIG, how)
    if os.getppid() != parent:
        os._exit(1)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {os.strerror(code)}")


def _keep_only(capabilities: list[int]) -> None:
    """capset(2): permitted and effective hold these (all below 32), inheritable none."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    bits = sum(1 << capability for capability in capabilities)
    data = ctypes.create_string_buffer(struct.pack("=6I", bits, bits, 0, 0, 0, 0))
    if _libc.capset(header, data) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"capset: {os.strerror(code)}")
