"""A slapd of ours: OpenLDAP's server, configured, started and stopped from the machine's own package.

A Layout says what the server holds and who may read it. This module has the layout of the private directory, `adam` that of the
edge. The server listens on a unix socket in a folder that only the serving account can enter, and on the URLs of its layout.
`directory` knows the meaning of the entries. Every start writes all files anew, so that an upgrade of Postern upgrades them too.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from postern.directory.ldap.client import answers, socket_uri
from postern.directory.slapd_adapter import SERVICE, SUFFIX
from postern.host import account
from postern.host.engines.health import Question
from postern.model.directory import DirectoryUnavailable
from postern.telemetry.rotation import rotate

_SOCKET = "ldapi"
_MAX_SOCKET_PATH = 107  # unix(7)
_SCHEMAS = (Path("/etc/ldap/schema"), Path("/etc/openldap/schema"))
_MODULES = (Path("/usr/lib/ldap"), Path("/usr/lib64/openldap"), Path("/usr/libexec/openldap"))
_PROGRAMS = ("/usr/sbin/slapd", "/usr/local/sbin/slapd", "/usr/libexec/slapd")

_SEARCH = bytes.fromhex("3025020101 6320 0400 0a0100 0a0100 020101 020100 010100 870b") + b"objectClass" + b"\x30\x00"
"""A search of the root DSE for all of its attributes (RFC 4511 section 4.5.1, in BER)."""

_FIRST_LINES = """\
# Written by Postern at every start.
include "{core}"
include "{folder}/{schema}"
modulepath "{modules}"
moduleload back_mdb
pidfile "{folder}/slapd.pid"
loglevel none
threads 4
disallow bind_anon
require authc
{before}
database mdb
suffix "{suffix}"
rootdn "{administrator}"
rootpw {password}
directory "{folder}/data"
maxsize 4294967296
checkpoint 1024 5
sizelimit unlimited
{after}"""

_PRIVATE = """\
index objectClass,objectGUID,entryCSN eq
index sAMAccountName,userPrincipalName,proxyAddresses,servicePrincipalName,altSecurityIdentities eq
index member,altRecipient eq
index cn,displayName eq,sub

# A name or an address belongs to one entry, whoever writes at the same time.
overlay unique
unique_uri "serialize ldap:///?proxyAddresses?sub"
unique_uri "serialize ldap:///?userPrincipalName?sub"
unique_uri "serialize ldap:///?sAMAccountName?sub"
unique_uri "serialize ldap:///?altSecurityIdentities?sub"
# Who is removed or renamed leaves no dangling name in groups and forwards.
overlay refint
refint_attributes member altRecipient

# The service account stands above these rules (slapd.conf(5), rootdn): nobody else reads a secret, or writes.
access to attrs=posternArgon2id,posternNTHash,posternScramSha256,posternRealmHashes,posternSecret by * none
access to attrs=userPassword by anonymous auth by * none
access to * by dn.subtree="o=postern" read by * none
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """The configuration of a slapd. `before` are lines of slapd.conf(5) before the database, `after` lines inside it; `links` are
    symbolic links in its folder, by name; `listeners` are the URLs on which it listens besides its unix socket."""

    schema: str
    suffix: str
    administrator: str
    after: str
    before: str = ""
    links: Mapping[str, Path] = field(default_factory=dict)
    listeners: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


PRIVATE = Layout(
    schema="postern.schema",
    suffix=SUFFIX,
    administrator=SERVICE,
    before="moduleload refint\nmoduleload unique\n",
    after=_PRIVATE,
)
"""The layout of the private directory, which listens on its unix socket only."""


class SlapdError(Exception):
    """slapd cannot be started; the text says what to do about it."""


class PrivateSlapd:
    """One slapd with its files in `folder`, its socket in `sockets`, its messages in `log`.

    `start` ends the orphan of a crash and returns once the directory answers. The server dies with the thread that
    called `start` (PR_SET_PDEATHSIG), so call it from one that lives as long as the organization does.
    """

    def __init__(self, folder: Path, sockets: Path, log: Path, password: str, layout: Layout = PRIVATE) -> None:
        self.layout = layout
        self.folder = folder
        self.sockets = sockets
        self.log = log
        self._password = password
        self._account = account.serving()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.sockets / _SOCKET

    @property
    def uri(self) -> str:
        return uri(self.sockets)

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server is not None and self._server.poll() is None else None

    def start(self, timeout: float = 20.0) -> None:
        """Starts slapd and waits until it answers. Raises SlapdError with the end of its log if that takes longer than `timeout`
        seconds."""
        if len(os.fsencode(self.socket)) > _MAX_SOCKET_PATH:
            raise SlapdError(f"{self.socket} is too long for a unix socket's name: choose a shorter --state")
        program = _find(_PROGRAMS)
        for folder in (self.folder, self.folder / "data", self.sockets):
            self._own(folder)
        self._end_orphan()
        self._configure()
        self._link()
        self.socket.unlink(missing_ok=True)
        parent, is_root = os.getpid(), os.geteuid() == 0
        urls = " ".join((self.uri, *self.layout.listeners))
        rotate(self.log)
        with open(self.log, "ab") as log:
            self._server = subprocess.Popen(  # noqa: S603 (a program found by us, no shell)
                [program, "-d", "none", "-f", str(self._file), "-h", urls],  # -d: it stays our child
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **self.layout.environment},
                preexec_fn=lambda: account.die_with(parent, signal.SIGTERM),
                start_new_session=True,
                user=self._account.uid if is_root else None,
                group=self._account.gid if is_root else None,
                extra_groups=() if is_root else None,
            )
        self._wait_ready(timeout)

    def stop(self, timeout: float = 5.0) -> None:
        """Ends slapd with SIGTERM, so that it closes its database; kills it after `timeout` seconds, which the database
        survives."""
        if self._server is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self._server.poll() is None:
                self._server.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(timeout)
                break
        self._server = None
        self.socket.unlink(missing_ok=True)

    @property
    def question(self) -> Question:
        """A search without a bind. slapd tells such a client to bind (RFC 4511 section 4.5.2), which counts as an answer."""
        return Question(self.socket, _SEARCH, lambda answer: answer.startswith(b"\x30"))

    def kill(self, hard: bool) -> None:
        """Makes slapd end, at once if `hard`; its database survives that."""
        if self.pid is not None:
            for sign in (signal.SIGKILL if hard else signal.SIGTERM, signal.SIGCONT):
                os.kill(self.pid, sign)

    @property
    def _file(self) -> Path:
        return self.folder / "slapd.conf"

    def _own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, self._account.uid, self._account.gid)
        folder.chmod(0o700)

    def _configure(self) -> None:
        layout = self.layout
        settings = _FIRST_LINES.format(
            core=_find(tuple(folder / "core.schema" for folder in _SCHEMAS)),
            modules=_find(_MODULES),
            folder=self.folder,
            schema=layout.schema,
            before=layout.before,
            suffix=layout.suffix,
            administrator=layout.administrator,
            password=_salted(self._password),
            after=layout.after,
        )
        # The program's own folder may be closed to the serving account, so the schema is copied.
        schema = resources.files("postern.host").joinpath(layout.schema).read_text(encoding="utf-8")
        for file, text in (
            (self._file, settings),
            (self.folder / layout.schema, schema),
        ):
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with open(handle, "w", encoding="utf-8") as out:
                if os.geteuid() == 0:
                    os.fchown(out.fileno(), self._account.uid, self._account.gid)
                out.write(text)

    def _link(self) -> None:
        """Makes the links of this layout, and deletes all others in their folders."""
        for folder in {(self.folder / name).parent for name in self.layout.links}:
            self._own(folder)
            for old in folder.iterdir():
                old.unlink()
        for name, target in self.layout.links.items():
            (self.folder / name).symlink_to(target)

    def _end_orphan(self) -> None:
        """Ends a slapd of this folder that outlived its supervisor, for it still has the database open."""
        pid = self.orphan()
        if pid is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                if self.orphan() is None:
                    return
                time.sleep(0.02)
        raise SlapdError(f"the directory server of an earlier run (process {pid}) does not end: kill it by hand")

    def orphan(self) -> int | None:
        """The process of an earlier run that still serves this folder, None if there is none."""
        try:
            pid = int((self.folder / "slapd.pid").read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        ours = self._server is not None and self._server.pid == pid
        return pid if os.fsencode(self._file) in arguments and not ours else None

    def _wait_ready(self, timeout: float) -> None:
        assert self._server is not None
        deadline = time.monotonic() + timeout
        while self._server.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(DirectoryUnavailable):
                answers(self.uri, self.layout.administrator, self._password)
                return
            time.sleep(0.02)
        code = self._server.poll()
        self.stop()
        last_lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        end = "did not answer in time" if code is None else f"ended with status {code}"
        raise SlapdError(f"the directory server {end}: {' / '.join(last_lines) or 'it said nothing'} (see {self.log})")


class SlapdEngine:
    """A slapd as one of the host's engines; each engine of this kind has a name."""

    name: str

    def __init__(self, server: PrivateSlapd) -> None:
        self.server = server

    @property
    def pid(self) -> int | None:
        return self.server.pid

    def start(self) -> None:
        self.server.start(timeout=10.0)

    def stop(self) -> None:
        self.server.stop(timeout=0.8)

    @property
    def question(self) -> Question:
        return self.server.question

    def kill(self, hard: bool) -> None:
        self.server.kill(hard)


def uri(sockets: Path) -> str:
    """The ldapi URL of the private slapd whose socket lies in this folder."""
    return socket_uri(str(sockets / _SOCKET))


def _find(candidates: tuple[Path | str, ...]) -> str:
    for candidate in candidates:
        if Path(candidate).exists():
            return str(candidate)
    name = Path(candidates[0]).name
    program = shutil.which(name)
    if program is None:
        raise SlapdError(f"OpenLDAP's server is missing ({candidates[0]}): install the package slapd")
    return program


def _salted(password: str) -> str:
    """Hashes a password for slapd.conf as {SSHA}, which suffices for 256 random bits and is quick at every bind."""
    salt = secrets.token_bytes(16)
    digest = hashlib.sha1(password.encode() + salt, usedforsecurity=False).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()
