"""Who the servers are. Nothing of Postern that answers a network runs as root: started by root, PostgreSQL, slapd and the
roles run under one unprivileged account, which owns the state folder; started by a user, they are that user.

Reads the machine's accounts. A role keeps of root's powers only the right to bind ports below 1024.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import struct
from dataclasses import dataclass

NAMES = ("postern", "nobody")
"""Tried in this order when root starts the servers; `make setup` makes the first."""

_libc = ctypes.CDLL(None, use_errno=True)

# prctl(2) and capability.h
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
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
    raise LookupError("this machine has no account «postern»: useradd --system postern")


def owner(path: str | os.PathLike[str]) -> Account:
    """The account a file belongs to. Raises OSError."""
    status = os.stat(path)
    return Account(_name(status.st_uid), status.st_uid, status.st_gid)


def become(account: Account, keep_low_ports: bool = False) -> None:
    """Turns this whole process into `account`, for good. Nothing happens if it is that already.

    With `keep_low_ports` the right to bind ports below 1024 stays, and nothing else of root's. Raises OSError.
    """
    if os.geteuid() != 0 or account.uid == 0:
        return
    if keep_low_ports:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    if keep_low_ports:
        _keep_only(_CAP_NET_BIND_SERVICE)
        _prctl(_PR_SET_KEEPCAPS, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with(parent: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Called in a child, after `become` (a change of credentials clears it: prctl(2)): it gets `how` once `parent` is gone.

    A parent that died before the call is noticed here, and the child ends at once.
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


def _keep_only(capability: int) -> None:
    """capset(2): permitted and effective hold this one capability, inheritable none."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    bit = 1 << capability
    data = ctypes.create_string_buffer(struct.pack("=6I", bit, bit, 0, 0, 0, 0))
    if _libc.capset(header, data) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"capset: {os.strerror(code)}")
