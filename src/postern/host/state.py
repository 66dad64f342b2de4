"""The state folder, which holds everything of one host, and the accounts that may enter it.

Reads the environment and the file system. The folder belongs to the account that serves (see `account`), mode
0700, with everything in it; a folder of someone else, or a symbolic link of someone else, is never entered.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from postern.host import account
from postern.model.organization import StateFolder

CONFIGURATION = "postern.toml"
LOCK = "lock"

# unix(7): sun_path has 108 bytes with its final zero; this much is left for a socket's own name.
_MAX_SOCKETS_PATH = 107 - 40
_PARTS = (
    "certificates",
    "queue",
    "postgres",
    "slapd",
    "logs",
    "tracking",
    "observed",
    "metrics",
    "attempts",
    "secrets",
    "spool",
    "processes",
)


class StateError(Exception):
    """The folder cannot be used; the text says which, why, and what to do."""


def find(state_dir: str | os.PathLike[str] | None) -> StateFolder:
    """The state folder that a command means: `state_dir`, else $POSTERN_STATE, else root's /var/lib/postern or
    the user's $XDG_STATE_HOME/postern (~/.local/state/postern). It need not exist; nothing is made."""
    chosen = state_dir or os.environ.get("POSTERN_STATE") or _default()
    root = Path(os.path.realpath(chosen))
    return StateFolder(root, _sockets(root))


def create(state_dir: str | os.PathLike[str] | None) -> StateFolder:
    """Makes the folder and its parts, or checks those that are there, and gives them to the account that serves.

    Raises StateError for a folder that holds other things, that others own, or that the serving account cannot reach.
    """
    state = find(state_dir)
    owner = account.serving()
    try:
        if not state.root.exists():
            state.root.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        elif not is_ours(state) and any(state.root.iterdir()):
            raise StateError(f"{state.root} is no state folder of Postern and is not empty: choose another --state")
        barrier = account.barrier_to(state.root, owner)
        if barrier is not None:
            raise StateError(f"the account {owner.name} may not pass {barrier}: choose a --state it can reach")
        _own(state.root, owner)
        state = find(state.root)  # sockets outside the folder have a path that depends on its owner, who is known now
        for part in _PARTS:
            _own(state.root / part, owner)
        _own(state.sockets, owner)
        _mark(state, owner)
    except OSError as error:
        raise StateError(f"{error.filename or state.root}: {error.strerror}: choose another --state") from None
    return state


def is_ours(state: StateFolder) -> bool:
    """Whether the folder is a state folder already, or was prepared by hand with a configuration."""
    return (state.root / LOCK).exists() or (state.root / CONFIGURATION).exists()


def check_ours(state: StateFolder) -> None:
    """Raises StateError if there is no state folder."""
    if not is_ours(state):
        raise StateError(f"no organization at {state.root}: start one with `postern run`, or name it with --state")


def act_as_owner(state: StateFolder, keep_low_ports: bool = False) -> None:
    """Makes a command of root's act as the state folder's owner: files that it writes stay readable for the servers, and
    sockets see the peer that they expect. With `keep_low_ports` it may open ports below 1024. Raises StateError if there is no
    such folder."""
    check_ours(state)
    account.become(account.owner(state.root), keep_low_ports)


def processes(state: StateFolder) -> Path:
    """The folder in which a supervisor notes its children, so that the next one finds those that survived a crash."""
    return state.root / "processes"


def _default() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/postern")
    base = os.environ.get("XDG_STATE_HOME", "")
    # XDG Base Directory specification: a relative path is invalid and is ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "postern"


def _sockets(root: Path) -> Path:
    """The folder of sockets: in the state folder if the path is short enough, else in /tmp, with a name made from the path."""
    inside = root / "sockets"
    if len(os.fsencode(inside)) <= _MAX_SOCKETS_PATH:
        return inside
    try:
        uid = account.owner(root).uid
    except OSError:
        uid = account.serving().uid
    return Path(f"/tmp/postern-{uid}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}")  # noqa: S108 (checked by _own)


def _own(folder: Path, owner: account.Account) -> None:
    """Makes `folder` with mode 0700, or takes one that exists if it is no link and belongs to root or the owner."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        status = os.fstat(handle)
        if status.st_uid not in (owner.uid, os.geteuid()):
            theirs = account.owner(folder).name
            raise StateError(f"{folder} belongs to {theirs}, not to {owner.name}: choose another --state")
        if status.st_uid != owner.uid:
            os.fchown(handle, owner.uid, owner.gid)
        if stat.S_IMODE(status.st_mode) != 0o700:
            os.fchmod(handle, 0o700)
    finally:
        os.close(handle)


def _mark(state: StateFolder, owner: account.Account) -> None:
    """Makes the lock's file, by which a folder is known as a state folder."""
    handle = os.open(state.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchown(handle, owner.uid, owner.gid)
    finally:
        os.close(handle)
