"""The private PostgreSQL cluster: made, started and stopped from the machine's own binaries.

It listens on a unix socket only. Two locks keep others out: the socket's folder has mode 0700, and the server asks the kernel
who connects (`peer`). It admits only the account that it runs as, under which the roles run too, and root if root started it.
It reads nothing of the organization; `store` makes the mailbox schema.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
import struct
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import psycopg
from psycopg import sql

from postern.host.account import Account, die_with, serving
from postern.host.engines.health import Question
from postern.telemetry.rotation import rotate

BINARIES = Path("/usr/lib/postgresql")
SUPERUSER = "postgres"
OWNER = "postern"

_SETTINGS = """\
# Written by Postern at every start.
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
fsync = on
synchronous_commit = on
full_page_writes = on
# Within a machine's 400 MB for the whole organization.
shared_buffers = 64MB
max_connections = {connections}
work_mem = 8MB
maintenance_work_mem = 32MB
wal_buffers = 4MB
max_wal_size = 1GB
min_wal_size = 128MB
wal_compression = lz4
checkpoint_timeout = 15min
default_toast_compression = lz4
# Rows are fetched by key; these keep the planner and the idle server quiet.
random_page_cost = 1.1
jit = off
max_worker_processes = 4
max_parallel_workers_per_gather = 0
max_wal_senders = 2
autovacuum_max_workers = 2
autovacuum_naptime = 20s
# A client that vanished must not hold a mailbox's row.
idle_in_transaction_session_timeout = 60s
client_connection_check_interval = 10s
timezone = 'UTC'
lc_messages = 'C'
logging_collector = off
log_line_prefix = '%m [%p] '
log_min_messages = warning
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""


_PARAMETERS = b"user\0%b\0database\0postgres\0\0" % SUPERUSER.encode()
_SESSION = struct.pack("!ii", 8 + len(_PARAMETERS), 3 << 16) + _PARAMETERS + b"X\0\0\0\4"
"""StartupMessage and Terminate (PostgreSQL's frontend/backend protocol 3.0)."""


class ClusterError(Exception):
    """The cluster cannot be made or started; the text says what to do about it."""


def binaries() -> Path:
    """The newest installed `bin` folder. Raises ClusterError when PostgreSQL is not installed."""
    folders = sorted(
        (path for path in BINARIES.glob("*/bin") if (path / "postgres").exists()),
        key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0),
    )
    if not folders:
        raise ClusterError(f"no PostgreSQL server under {BINARIES}: install the package postgresql-15")
    return folders[-1]


class PrivateCluster:
    """One cluster in `data`, its socket in `sockets` (an absolute path under 90 bytes), its log in `log`.

    `start` makes the cluster the first time, ends the orphan of a crash, and returns when connections are accepted.
    The server dies with the thread that called `start` (PR_SET_PDEATHSIG), so call it from one that lives as long
    as the organization does.
    """

    def __init__(
        self, data: Path, sockets: Path, log: Path, account: Account | None = None, connections: int = 60
    ) -> None:
        """`account` is the account that the server runs as; by default the one that all servers of Postern run as."""
        self.data = data
        self.sockets = sockets
        self.log = log
        self.connections = connections
        self._bin = binaries()
        self._account = serving() if account is None else account
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server is not None and self._server.poll() is None else None

    def conninfo(self, database: str, user: str = OWNER) -> str:
        return f"host={self.sockets} dbname={database} user={user}"

    def start(self, timeout: float = 30.0) -> None:
        """Starts the server and waits until it is ready. Raises ClusterError with the end of its log if that takes longer than
        `timeout` seconds."""
        if len(os.fsencode(self.sockets)) > 90:
            raise ClusterError(f"{self.sockets} is too long for a unix socket's name (unix(7): 107 bytes)")
        for folder in (self.data, self.sockets):
            self._own(folder)
        self._end_orphan()
        if not (self.data / "PG_VERSION").exists():
            self._initialize()
        self._same_version()
        self._configure()
        parent = os.getpid()
        rotate(self.log)
        with open(self.log, "ab") as log:
            self._server = subprocess.Popen(  # noqa: S603 (a program found by us, no shell)
                [self._bin / "postgres", "-D", self.data],
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                preexec_fn=lambda: die_with(parent, signal.SIGINT),
                start_new_session=True,
                user=self._user(),
                group=self._group(),
                extra_groups=self._groups(),
            )
        self._wait_ready(timeout)
        self._create_owner()

    def create_database(self, name: str) -> None:
        """Creates a database that Postern's own role owns, if it does not exist."""
        with psycopg.connect(self.conninfo("postgres", SUPERUSER), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                # Locale C: text is compared as bytes, which substring search needs and which never changes with libc.
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0").format(
                        sql.Identifier(name), sql.Identifier(OWNER)
                    )
                )

    def stop(self, timeout: float = 5.0) -> None:
        """Shuts down fast, which rolls open transactions back; immediately, if that takes longer than `timeout` seconds."""
        if self._server is None:
            return
        for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self._server.poll() is None:
                self._server.send_signal(sign)
            try:
                self._server.wait(timeout)
                break
            except subprocess.TimeoutExpired:
                continue
        self._server = None

    @property
    def question(self) -> Question:
        """Asks for a session, and ends it once it is ready. A server that refuses the session (it recovers, it is full)
        answers, too."""
        return Question(
            self.sockets / ".s.PGSQL.5432", _SESSION, lambda answer: answer.startswith(b"E") or b"Z\0\0\0\5" in answer
        )

    def kill(self, hard: bool) -> None:
        """Shuts down immediately; the next start recovers from the write-ahead log. `hard` kills every process at once,
        backends too, for none of them may write beside a new server."""
        if self.pid is None:
            return
        if not hard:
            os.kill(self.pid, signal.SIGQUIT)
        for pid in {self.pid, *_servers(self.data)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if hard else signal.SIGCONT)

    def _own(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, self._account.uid, self._account.gid)
        folder.chmod(0o700)

    # None keeps our own account; only root may change it.
    def _user(self) -> int | None:
        return self._account.uid if os.geteuid() == 0 else None

    def _group(self) -> int | None:
        return self._account.gid if os.geteuid() == 0 else None

    def _groups(self) -> list[int] | None:
        return [] if os.geteuid() == 0 else None

    def _environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(self.data)}

    def _initialize(self) -> None:
        done = subprocess.run(  # noqa: S603 (a program found by us, no shell)
            [
                *(self._bin / "initdb", "-D", self.data, "-U", SUPERUSER, "--no-instructions"),
                *("--encoding=UTF8", "--locale=C", "--auth=peer", "--data-checksums"),
            ],
            cwd="/",
            env=self._environment(),
            capture_output=True,
            text=True,
            user=self._user(),
            group=self._group(),
            extra_groups=self._groups(),
        )
        if done.returncode != 0:
            raise ClusterError(f"initdb failed: {done.stderr.strip()[-500:]}")

    def _same_version(self) -> None:
        have = (self.data / "PG_VERSION").read_text().strip()
        if have != self._bin.parent.name:
            raise ClusterError(
                f"{self.data} was made by PostgreSQL {have}, installed is {self._bin.parent.name}: use pg_upgrade"
            )

    def _configure(self) -> None:
        """Writes the settings. Only our own user, and the one that the server runs as, map to the two database roles."""
        ours = sorted({pwd.getpwuid(os.geteuid()).pw_name, self._account.name})
        identities = "".join(f'ours "{name}" {role}\n' for name in ours for role in (SUPERUSER, OWNER))
        settings = _SETTINGS.format(sockets=self.sockets, connections=self.connections)
        for name, text in (
            ("postgresql.conf", settings),
            ("pg_hba.conf", "local all all peer map=ours\n"),
            ("pg_ident.conf", identities),
        ):
            path = self.data / name
            path.write_text(text)
            if os.geteuid() == 0:
                os.chown(path, self._account.uid, self._account.gid)
            path.chmod(0o600)

    def _wait_ready(self, timeout: float) -> None:
        """Waits until the last line of postmaster.pid says "ready": then connections are accepted (PostgreSQL 10 and later)."""
        assert self._server is not None
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._server.poll() is not None:
                break
            lines = _lines(self.data / "postmaster.pid")
            if len(lines) >= 8 and lines[0] == str(self._server.pid) and lines[7].strip() == "ready":
                return
            time.sleep(0.01)
        self.stop()
        last_words = self.log.read_bytes()[-500:].decode(errors="replace").strip()
        raise ClusterError(f"PostgreSQL did not start: {last_words}")

    def _create_owner(self) -> None:
        with psycopg.connect(self.conninfo("postgres", SUPERUSER), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER,)).fetchone() is None:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(OWNER)))

    def _end_orphan(self) -> None:
        """Ends servers that outlived their supervisor and still use this folder, gently first. A postmaster that was killed can
        leave backends that have not noticed; one of them that wrote beside a new server would ruin the data.

        The pid file stays, for PostgreSQL uses it to find processes that still use the old shared memory. It is deleted only if
        its pid now belongs to another program, for then PostgreSQL would not start.
        """
        file = self.data / "postmaster.pid"
        lines = _lines(file)
        if not lines:
            return
        pid = int(lines[0]) if lines[0].strip().isdigit() else 0
        for sign, patience in ((signal.SIGINT, 5.0), (signal.SIGQUIT, 5.0)):
            if _serves(pid, self.data):
                os.kill(pid, sign)
                _await_end([pid], self.data, patience)
        for sign in (signal.SIGQUIT, signal.SIGKILL):
            left = _servers(self.data)
            for backend in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(backend, sign)
            _await_end(left, self.data, 2.0)
        if left := _servers(self.data):
            raise ClusterError(f"a PostgreSQL server (process {left[0]}) holds {self.data} and does not end")
        if Path(f"/proc/{pid}").exists():
            file.unlink(missing_ok=True)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        return []


def _serves(pid: int, data: Path) -> bool:
    """Whether this process is a PostgreSQL server whose working folder is `data`."""
    if pid <= 1:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        return state != "Z" and name == "postgres" and os.path.samefile(f"/proc/{pid}/cwd", data)
    except (OSError, IndexError):
        return False


def _servers(data: Path) -> list[int]:
    """Every server process of this folder, backends too."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _serves(int(entry.name), data)]


def _await_end(pids: Iterable[int], data: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and any(_serves(pid, data) for pid in pids):
        time.sleep(0.02)
