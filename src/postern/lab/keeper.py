"""The first process of a host: it makes the host's namespaces, mounts the host's private folders, and reaps processes that end.

It is a program of its own, run with the standard library only: `keeper.py FOLDER HOST [tied]`. FOLDER/hosts/HOST/mounts.json
lists the mounts. The namespaces have no name in any file system: they live as long as this process does, and with it the kernel
ends every process in them. The router's keeper holds the whole lab, for the process namespaces of the other hosts lie within its
own. With "tied" it reads from its standard input. If that ends before an octet came, the process that builds the lab has died,
and the keeper ends too.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any, NoReturn

# sched.h, sys/mount.h
_NEW_MOUNTS, _NEW_UTS, _NEW_IPC, _NEW_PIDS, _NEW_NET = 0x00020000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
_NOSUID, _NODEV, _NOEXEC, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> NoReturn:
    folder, host, tied = sys.argv[1], sys.argv[2], "tied" in sys.argv[3:]
    reading, writing = os.pipe()
    os.setsid()
    _check(_libc.unshare(_NEW_MOUNTS | _NEW_UTS | _NEW_IPC | _NEW_PIDS | _NEW_NET), "unshare")
    if os.fork():
        os.close(writing)
        report = os.read(reading, 4096).decode()
        if report != "ready":
            sys.stderr.write(f"{host}: {report or 'its first process died'}\n")
        os._exit(report != "ready")
    os.close(reading)
    try:
        _furnish(os.path.join(folder, "hosts", host), host)
    except BaseException as error:
        os.write(writing, str(error).encode()[:4000])
        os._exit(1)
    signal.signal(signal.SIGCHLD, _reap)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    null = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2) if tied else (0, 1, 2):
        os.dup2(null, number)
    os.write(writing, b"ready")
    os.close(writing)
    if tied and not os.read(0, 1):
        os._exit(1)
    os.dup2(null, 0)
    while True:
        signal.pause()


def _furnish(folder: str, host: str) -> None:
    """Makes the mounts private, then mounts the list in its order, then /proc as the new process namespace sees it."""
    _mount("", "/", "", _RECURSIVE | _PRIVATE)
    with open(os.path.join(folder, "mounts.json"), encoding="utf-8") as file:
        for mount in json.load(file):
            if mount["kind"] == "bind":
                _mount(mount["source"], mount["target"], "", _BIND | _RECURSIVE)
            elif mount["kind"] == "folder":
                os.makedirs(mount["target"], mode=mount["mode"], exist_ok=True)
            else:
                _mount("tmpfs", mount["target"], "tmpfs", _NOSUID | _NODEV, f"mode={mount['mode']:o}")
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    name = host.encode()
    _check(_libc.sethostname(name, len(name)), "sethostname")


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = [word.encode() or None for word in (source, target, kind)]
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _reap(*_: Any) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    main()
