"""A private MIT Kerberos KDC for tests: its own realm, its files in a temporary folder, on a free port of 127.0.0.1.
No root needed.

with running_kdc() as kdc:
    kdc.add_user("alice", "wonderland")
    keytab = kdc.add_service("smtp/localhost")
    environment = kdc.environment(kdc.kinit("alice", "wonderland"))
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port

REALM = "EXAMPLE.TEST"

_CONFIGURATION = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
    ticket_lifetime = 1h
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
[domain_realm]
    localhost = {realm}
    .example.test = {realm}
    example.test = {realm}
"""
_KDC_CONFIGURATION = """\
[kdcdefaults]
    kdc_listen = ""
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
        supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
    }}
[logging]
    kdc = FILE:{folder}/kdc.log
"""


class Kdc:
    """`folder` holds everything; `krb5_conf` is the file that KRB5_CONFIG names."""

    def __init__(self, folder: Path, realm: str = REALM) -> None:
        self.folder = folder
        self.realm = realm
        self.krb5_conf = folder / "krb5.conf"
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    def environment(self, ccache: Path | None = None) -> dict[str, str]:
        """What a client needs in its environment; with `ccache` it has that file's tickets."""
        variables = {**os.environ, "KRB5_CONFIG": str(self.krb5_conf), "KRB5RCACHEDIR": str(self.folder)}
        if ccache is not None:
            variables["KRB5CCNAME"] = f"FILE:{ccache}"
        return variables

    def join(self, patch: pytest.MonkeyPatch, ccache: Path | None = None) -> None:
        """Makes this process a client of the realm; with `ccache` it has that file's tickets."""
        for name, value in self.environment(ccache).items():
            if name.startswith("KRB5"):
                patch.setenv(name, value)

    def add_user(self, name: str, password: str) -> None:
        self._admin(f"addprinc -pw {password} {name}@{self.realm}")

    def add_service(self, *principals: str) -> Path:
        """Makes service principals with random keys, all in one new keytab."""
        keytab = self.folder / (principals[0].replace("/", "_") + ".keytab")
        for principal in principals:
            self._admin(f"addprinc -randkey {principal}@{self.realm}")
            self._admin(f"ktadd -k {keytab} {principal}@{self.realm}")
        return keytab

    def kinit(self, name: str, password: str) -> Path:
        ccache = self.folder / f"{name}.ccache"
        subprocess.run(
            ["kinit", "-c", str(ccache), f"{name}@{self.realm}"],
            input=password.encode() + b"\n",
            env=self.environment(),
            check=True,
            capture_output=True,
            timeout=20,
        )
        return ccache

    def start(self) -> None:
        self.krb5_conf.write_text(_CONFIGURATION.format(realm=self.realm, port=self.port))
        (self.folder / "kdc.conf").write_text(
            _KDC_CONFIGURATION.format(realm=self.realm, port=self.port, folder=self.folder)
        )
        self._run("kdb5_util", "create", "-s", "-r", self.realm, "-P", "a master key for tests")
        self._server = subprocess.Popen(
            [_program("krb5kdc"), "-n"],
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGTERM),
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self._server.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError("krb5kdc does not answer: " + (self.folder / "kdc.log").read_text()[-500:])

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(5)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()

    def _environment(self) -> dict[str, str]:
        return {**self.environment(), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}

    def _admin(self, query: str) -> None:
        self._run("kadmin.local", "-r", self.realm, "-q", query)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [_program(program), *arguments], env=self._environment(), check=True, capture_output=True, timeout=60
        )


@contextlib.contextmanager
def running_kdc(realm: str = REALM) -> Iterator[Kdc]:
    folder = Path(tempfile.mkdtemp(prefix="kdc-", dir="/tmp"))
    kdc = Kdc(folder, realm)
    try:
        kdc.start()
        yield kdc
    finally:
        kdc.stop()
        shutil.rmtree(folder, ignore_errors=True)


def installed() -> bool:
    return all(_found(program) for program in ("krb5kdc", "kadmin.local", "kdb5_util", "kinit"))


def _found(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _program(program: str) -> str:
    found = _found(program)
    if found is None:
        raise RuntimeError(f"{program} is not installed")
    return found
