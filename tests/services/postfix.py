"""Another organization's mail server: a private Postfix in a temporary folder, with its own certificate. Needs root, as Debian's
package does."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postern.net.tls import Certificate
from tests.support.ports import free_port

MISSING = (
    "Postfix is not installed" if shutil.which("postfix") is None else "Postfix needs root" if os.geteuid() else ""
)
"""Why it cannot run here; "" if it can."""


@dataclass
class Postfix:
    """`port` takes mail for `other.test` into `mailbox` (mbox); `send` submits and hands everything else to the relay host."""

    folder: Path
    port: int

    def send(self, sender: str, recipient: str, message: str) -> None:
        subprocess.run(
            ["sendmail", "-C", str(self.folder / "config"), "-f", sender, recipient],
            input=message,
            text=True,
            check=True,
            timeout=20,
        )

    @property
    def log(self) -> str:
        file = self.folder / "postfix.log"
        return file.read_text() if file.exists() else ""

    def until_logged(self, words: str, seconds: float = 20.0) -> str:
        """The line with these words, once it is there."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.log.splitlines():
                if words in line:
                    return line
            time.sleep(0.05)
        raise AssertionError(f"Postfix never said {words!r}:\n{self.log[-3000:]}")


@contextlib.contextmanager
def postfix(certificate: Certificate, relay_port: int) -> Iterator[Postfix]:
    """Shows `certificate` as server and as client, tries TLS with everybody, and believes nobody's."""
    folder = Path(tempfile.mkdtemp(prefix="pfx-", dir="/tmp"))
    folder.chmod(0o755)
    port = free_port()
    config, queue, data = folder / "config", folder / "queue", folder / "data"
    for path in (config, queue, data):
        path.mkdir()
    shutil.chown(data, "postfix")
    shutil.copy(certificate.chain, folder / "chain.pem")
    shutil.copy(certificate.key, folder / "key.pem")
    (config / "main.cf").write_text(_MAIN.format(folder=folder, relay=relay_port))
    stock = Path("/usr/share/postfix/master.cf.dist").read_text().splitlines()
    lines = [f"127.0.0.1:{port} inet n - n - - smtpd", "postlog unix-dgram n - n - 1 postlogd"]
    for line in stock:
        fields = line.split()
        if len(fields) >= 8 and not line.startswith(("#", " ", "postlog")) and fields[1] in ("unix", "fifo"):
            fields[4] = "n"  # no chroot: the folder holds no copies of libraries
            lines.append(" ".join(fields))
    (config / "master.cf").write_text("\n".join(lines) + "\n")
    (config / "dynamicmaps.cf").write_text("")
    _run(config, "check", check=False)
    _run(config, "start")
    try:
        _wait(port)
        yield Postfix(folder, port)
    finally:
        _run(config, "abort", check=False)
        shutil.rmtree(folder, ignore_errors=True)


_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.other.test
myorigin = other.test
mydestination =
alias_maps =
virtual_mailbox_domains = other.test
virtual_transport = discard
relayhost = [127.0.0.1]:{relay}
mynetworks = 127.0.0.0/8
smtpd_tls_chain_files = {folder}/key.pem, {folder}/chain.pem
smtpd_tls_security_level = may
smtpd_tls_ask_ccert = yes
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtp_tls_chain_files = {folder}/key.pem, {folder}/chain.pem
smtp_tls_security_level = may
smtp_tls_loglevel = 1
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
"""


def _run(config: Path, command: str, check: bool = True) -> None:
    subprocess.run(["postfix", "-c", str(config), command], check=check, capture_output=True, timeout=30)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("Postfix does not answer")
