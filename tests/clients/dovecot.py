"""A private Dovecot that one user logs on to: what another server says to the same client, in the same run."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.clients.people import SECONDS, tool
from tests.organization import PASSWORD

USER = "reader"


@contextlib.contextmanager
def running(certificate: Path, key: Path, port: int) -> Iterator[int]:
    """Its port for IMAP over TLS. Started by root it answers as Debian's accounts for it; else as the one who started it."""
    folder = Path(tempfile.mkdtemp(prefix="dv-", dir="/tmp"))
    folder.chmod(0o755)
    root = os.geteuid() == 0
    owner = pwd.getpwnam("nobody" if root else getpass.getuser())
    mail = folder / "mail"
    mail.mkdir()
    shutil.chown(mail, owner.pw_uid, owner.pw_gid)
    shutil.copy(certificate, folder / "server.pem")
    shutil.copy(key, folder / "server.key")
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    accounts = "" if root else "".join(f"default_{kind}_user = {owner.pw_name}\n" for kind in ("internal", "login"))
    (folder / "dovecot.conf").write_text(
        f"""base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
mail_location = maildir:{mail}/%u
first_valid_uid = 1
first_valid_gid = 1
{accounts}passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={mail}/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""
    )
    process = subprocess.Popen([tool("dovecot"), "-F", "-c", str(folder / "dovecot.conf")])
    try:
        _wait_for(port, process, folder / "log")
        yield port
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("Dovecot does not answer:\n" + (log.read_text() if log.exists() else ""))
