"""`postern database list`: what postern.toml says, without what is secret in it, and what this host reaches."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from postern.cli.database import database, place
from postern.cli.directory import database_named
from postern.cli.failures import Failure
from postern.model.organization import Database, Organization

TOML = """
[organization]
name = "Corp"
[[domain]]
name = "corp.test"
[[server]]
name = "mbx1"
fqdn = "mbx1.corp.test"
roles = ["mailbox"]
addresses = ["192.0.2.1"]
[[server]]
name = "mbx2"
fqdn = "mbx2.corp.test"
roles = ["mailbox"]
addresses = ["192.0.2.2"]
"""
NAMED = """
[[database]]
name = "sales"
server = "mbx2"
url = "postgresql://postern:secret@127.0.0.1:1/sales?password=secret"
[[database]]
name = "works"
server = "mbx1"
"""


def listed(folder: Path, text: str, *words: str) -> str:
    (folder / "postern.toml").write_text(text)
    (folder / "server").write_text("mbx1")
    done = CliRunner().invoke(database, ["list", *words, "--state", str(folder)], env={"COLUMNS": ""})
    assert done.exit_code == 0, done.output
    return done.output


def test_each_with_its_server_and_place(tmp_path: Path) -> None:
    output = listed(tmp_path, TOML + NAMED)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "mbx" in line]
    assert rows == [
        ["sales", "mbx2", "postgresql://127.0.0.1:1/sales", "", ""],
        ["works", "mbx1", "private cluster", "", ""],
    ]
    assert "secret" not in output


def test_without_tables_each_is_called_like_its_server(tmp_path: Path) -> None:
    output = json.loads(listed(tmp_path, TOML, "--json"))
    assert output == [
        {"name": name, "server": name, "place": "private cluster", "mailboxes": None, "size": None}
        for name in ("mbx1", "mbx2")
    ]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@db1,db2:6543/mail?sslmode=require", "postgresql://db1,db2:6543/mail"),
        ("postgresql:///mail?host=/run/postgresql&user=x", "postgresql:///mail"),
        ("postgresql://u:p%40x@[2001:db8::1]/mail", "postgresql://[2001:db8::1]/mail"),
    ],
)
def test_a_place_has_no_password(url: str, shown: str) -> None:
    assert place(url) == shown


def test_a_database_is_meant_by_its_name_or_its_server() -> None:
    sales, works = Database("sales", "mbx2"), Database("works", "mbx1")
    organization = Organization("Corp", (), (), written_databases=(sales, works))
    assert (
        database_named(organization, "")
        == database_named(organization, "sales")
        == database_named(organization, "mbx2")
        == sales
    )
    assert database_named(organization, "mbx1") == works
    with pytest.raises(
        Failure, match="mbx9 is no mailbox database of this organization: it has sales, works"
    ) as raised:
        database_named(organization, "mbx9")
    assert raised.value.exit_code == os.EX_NOUSER
