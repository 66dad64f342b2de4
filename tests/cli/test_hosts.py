"""A command on the wrong host says so, and where it belongs.

covers: directory
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from postern.cli.group import group
from postern.cli.mailbox import mailbox
from postern.cli.user import user

TOML = """
[organization]
name = "Corp"
[active-directory]
domain = "corp.test"
[[domain]]
name = "corp.test"
[[server]]
name = "hub1"
fqdn = "hub1.corp.test"
roles = ["hub"]
addresses = ["192.0.2.1"]
[[server]]
name = "mbx1"
fqdn = "mbx1.corp.test"
roles = ["mailbox"]
addresses = ["192.0.2.2"]
[[server]]
name = "edge1"
fqdn = "edge1.corp.test"
roles = ["edge"]
addresses = ["192.0.2.3"]
"""


def said(folder: Path, host: str, *words: str) -> str:
    (folder / "postern.toml").write_text(TOML)
    (folder / "server").write_text(host)
    command, *rest = words
    done = CliRunner().invoke(
        {"user": user, "group": group, "mailbox": mailbox}[command], [*rest, "--state", str(folder)]
    )
    assert done.exit_code == os.EX_CONFIG, done.output
    return done.output


@pytest.mark.parametrize("words", [("user", "list"), ("group", "list"), ("mailbox", "stats")])
def test_an_edge_has_no_users(tmp_path: Path, words: tuple[str, ...]) -> None:
    output = said(tmp_path, "edge1", *words)
    assert "this host is edge1 (edge), which has no directory of users: say this on hub1 or mbx1" in output


@pytest.mark.parametrize(
    "words", [("stats",), ("list", "--disconnected"), ("connect", "x", "alice"), ("purge", "x", "--yes")]
)
def test_a_hub_has_no_mailboxes(tmp_path: Path, words: tuple[str, ...]) -> None:
    output = said(tmp_path, "hub1", "mailbox", *words)
    assert "this host is hub1 (hub), which has not the role mailbox: say this on mbx1" in output
