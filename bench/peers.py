"""Postfix and Dovecot as private instances in a temporary folder, with the settings that make the comparison fair.

Both keep their defaults but for addresses, limits that would throttle one client, and, in Dovecot, the same password hash
(argon2id, 19 MiB, t=2, p=1) and an authentication cache as Postern has. They need root, as Debian's packages of them do.
"""

from __future__ import annotations

import contextlib
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PASSWORD = "bench-password"


@dataclass
class Peer:
    """`roots` are the processes to account for; ports by protocol."""

    name: str
    roots: list[int]
    ports: dict[str, int] = field(default_factory=dict)


def free_port() -> int:
    """A port outside the kernel's ephemeral range, free now."""
    for number in range(21000, 32000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) != 0 and number not in _given:
                _given.add(number)
                return number
    raise RuntimeError("no free port")


_given: set[int] = set()


def wait_for(port: int, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing answers on {port}")


@contextlib.contextmanager
def running(command: Sequence[str | Path], port: int, folder: Path | None = None, quiet: bool = False) -> Iterator[int]:
    """The process of a command that stays in the foreground, from when it answers on a port until the block ends."""
    output = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    try:
        wait_for(port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def postfix(folder: Path, certificate: tuple[Path, Path], delivery: str) -> Iterator[Peer]:
    """`delivery` is "discard" or an LMTP socket's path."""
    port = free_port()
    config, queue, data = folder / "config", folder / "queue", folder / "data"
    for path in (config, queue, data):
        path.mkdir(parents=True)
    shutil.chown(data, "postfix")
    transport = "discard" if delivery == "discard" else f"lmtp:unix:{delivery}"
    (config / "main.cf").write_text(
        f"""compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
myhostname = peer.example.test
mydestination =
virtual_mailbox_domains = example.test
virtual_transport = {transport}
default_transport = discard
mynetworks = 127.0.0.0/8
smtpd_tls_chain_files = {certificate[1]}, {certificate[0]}
smtpd_tls_security_level = may
smtpd_client_connection_count_limit = 0
message_size_limit = 36700160
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
lmtp_destination_concurrency_limit = 20
"""
    )
    stock = Path("/usr/share/postfix/master.cf.dist").read_text().splitlines()
    lines = [f"127.0.0.1:{port}      inet  n       -       n       -       -       smtpd"]
    for line in stock:
        fields = line.split()
        if len(fields) >= 8 and not line.startswith(("#", " ")) and fields[1] in ("unix", "fifo"):
            fields[4] = "n"  # no chroot: the folder holds no copies of libraries
            lines.append(" ".join(fields))
    if not any(line.startswith("postlog") for line in lines):
        lines.append("postlog unix-dgram n - n - 1 postlogd")
    (config / "master.cf").write_text("\n".join(lines) + "\n")
    (config / "dynamicmaps.cf").write_text("")
    _run("postfix", "-c", str(config), "check", check=False)
    _run("postfix", "-c", str(config), "start")
    try:
        wait_for(port)
        master = int((queue / "pid" / "master.pid").read_text())
        yield Peer("Postfix", [master], {"smtp": port})
    finally:
        _run("postfix", "-c", str(config), "abort", check=False)


@contextlib.contextmanager
def dovecot(folder: Path, certificate: tuple[Path, Path], users: list[str]) -> Iterator[Peer]:
    imap, run = free_port(), folder / "run"
    mail = folder / "mail"
    folder.mkdir(parents=True, exist_ok=True)
    mail.mkdir()
    owner = pwd.getpwnam("nobody")
    shutil.chown(mail, owner.pw_uid, owner.pw_gid)
    hashed = _argon2()
    (folder / "users").write_text("".join(f"{user}:{hashed}\n" for user in users))
    (folder / "dovecot.conf").write_text(
        f"""base_dir = {run}
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate[0]}
ssl_key = <{certificate[1]}
mail_location = mdbox:{mail}/%u
mail_uid = {owner.pw_uid}
mail_gid = {owner.pw_gid}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 5000
auth_cache_size = 10 M
auth_username_format = %Lu
default_client_limit = 5000
default_process_limit = 5000
passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={mail}/%u
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imap}
    ssl = yes
  }}
  service_count = 0
}}
service imap {{
  process_limit = 5000
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""
    )
    with running(["dovecot", "-F", "-c", folder / "dovecot.conf"], imap) as pid:
        yield Peer("Dovecot", [pid], {"imaps": imap, "lmtp": 0})


def _argon2() -> str:
    import argon2

    hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
    return "{ARGON2ID}" + hasher.hash(PASSWORD)


def _run(*command: str, check: bool = True) -> None:
    subprocess.run(command, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL if not check else None)
