"""A lab for tests, driven by its command line as a user would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

POSTERN = str(Path(sys.executable).with_name("postern"))
BASE = Path("/var/lib/postern-lab")
_NEEDED = ("ip", "nft", "nsenter", "unshare", "tcpdump", "setsid", "sysctl")


def _can_make_namespaces() -> bool:
    if os.geteuid() != 0 or not all(map(shutil.which, _NEEDED)):
        return False
    made = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "nft", "list", "ruleset"],
        capture_output=True,
        check=False,
    )
    return made.returncode == 0


with_namespaces = pytest.mark.skipif(
    not _can_make_namespaces(),
    reason="the lab needs root, and a kernel that lets it make namespaces and load nftables in them",
)
with_servers = pytest.mark.skipif(
    not all(map(shutil.which, ("samba", "samba-tool", "nsd", "postfix"))),
    reason="the whole lab needs Samba's domain controller, nsd and Postfix: scripts/setup lab installs them",
)


@dataclass
class Lab:
    """`up` and `down` are the caller's to call."""

    name: str
    at_first: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Its status when it had just come up."""

    @property
    def folder(self) -> Path:
        return BASE / self.name

    def command(self, *words: str, check: bool = True, seconds: float = 240) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [POSTERN, "lab", words[0], "--name", self.name, *words[1:]],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"lab {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [POSTERN, "lab", words[0], "--name", self.name, *words[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def shell(self, host: str, *words: str, check: bool = True) -> str:
        return self.command("shell", host, *words, check=check).stdout

    def status(self) -> dict[str, dict[str, Any]]:
        """By host."""
        return {one["name"]: one for one in json.loads(self.command("status", "--json").stdout)["hosts"]}

    def verify(self, *words: str, whole: bool = False) -> dict[str, Any]:
        """Knocks only, which take seconds; or every row dialled in full besides."""
        how = () if whole else ("--doors",)
        return json.loads(self.command("verify", "--json", *how, *words, check=False).stdout)


def eventually(what: str, look: Any, seconds: float = 20.0) -> Any:
    """What `look` returns, once that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")
