"""What `postern run` prints when it is ready: lines that can be copied as they stand.

covers: called
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from postern.cli import run
from postern.cli.called import as_called, called
from postern.host import configuration
from postern.host.certificates import Certificates
from postern.host.seed import Demo
from postern.host.supervision.launch import OpenDoor, Ready
from postern.model.organization import Role, Server, StateFolder
from postern.net.tls import Certificate

ORGANIZATION = configuration.parse(configuration.DEFAULT.format(offset=10000))
ROOT = Path("/tmp/a state")


def told(
    demo: str,
    notes: tuple[str, ...] = (),
    people: tuple[str, ...] = ("alice@example.test", "bob@example.test", "carol@example.test"),
    usual: Path = Path("/elsewhere"),
    server: Server | None = None,
    doors: tuple[OpenDoor, ...] = (),
    width: int = 120,
) -> list[str]:
    ready = Ready(
        state=StateFolder(ROOT, ROOT / "sockets"),
        organization=ORGANIZATION,
        server=server or ORGANIZATION.servers[0],
        certificates=Certificates(
            ROOT / "ca.pem", Certificate(ROOT / "s.pem", ROOT / "s.key"), datetime.datetime.now(datetime.UTC), False
        ),
        roles=(Role.HUB,),
        doors=doors
        or (
            OpenDoor("127.0.0.1", 10587, ("client-to-hub-smtp",)),
            OpenDoor("::1", 10993, ("imap4",)),
            OpenDoor("127.0.0.1", 30001, ("cas-to-mailbox",)),
        ),
        notes=notes,
        demo=Demo(demo, people) if demo else None,
    )
    out = io.StringIO()
    run._summary(
        Console(file=out, highlight=False, soft_wrap=True, markup=False, width=width),
        ready,
        StateFolder(usual, usual / "sockets"),
    )
    return out.getvalue().splitlines()


def test_every_door_is_told_with_its_rows() -> None:
    lines = told("")
    assert any(line.split() == ["[::1]:10993", "IMAP4", "(TLS)", "imap4"] for line in lines)
    assert any(line.split() == ["127.0.0.1:30001", "RPC", "cas-to-mailbox"] for line in lines)


def test_a_door_s_rows_stand_below_it_on_a_narrow_terminal() -> None:
    rows = ("mailbox-to-hub-submission", "hub-to-mailbox-mapi", "mailbox-assistants", "cas-to-mailbox")
    lines = told("", doors=(OpenDoor("127.0.0.1", 20135, rows),), width=80)
    at = lines.index("      mailbox-to-hub-submission, hub-to-mailbox-mapi, mailbox-assistants,")
    assert lines[at + 1] == "      cas-to-mailbox" and max(map(len, lines)) <= 80


@pytest.mark.parametrize("password", ["simple", "with space and 'quote'", "[bold]$HOME"])
def test_the_demos_commands_survive_the_shell(password: str) -> None:
    lines = told(password)
    swaks = shlex.split(next(line for line in lines if "swaks" in line))
    assert swaks[swaks.index("--auth-password") + 1] == password
    curl = shlex.split(next(line for line in lines if "curl" in line))
    assert curl[curl.index("--user") + 1] == f"bob@example.test:{password}"
    assert curl[curl.index("--cacert") + 1] == str(ROOT / "certificates" / "ca.pem")
    assert curl[-1] == "imaps://[::1]:10993/INBOX;MAILINDEX=*"


def test_without_the_demo_the_next_step_is_a_user() -> None:
    command = shlex.split(next(line for line in told("") if "user add" in line))
    assert command == ["postern", "user", "add", "alice@example.test", "--state", str(ROOT)]


def test_the_demos_commands_are_of_those_who_have_the_password() -> None:
    lines = told("secret", people=("carol@example.test",))
    assert "  Mailboxes: carol@example.test; password: secret" in lines
    assert any("--from carol@example.test --to carol@example.test" in line for line in lines)
    assert not any("alice@" in line or "bob@" in line for line in lines)
    nobody = told("secret", people=())
    assert not any("secret" in line or "user add" in line for line in nobody)
    assert f"  postern user list --state '{ROOT}'" in nobody


def test_commands_begin_as_this_program_was_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "a bin" / "postern"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/nonexistent")
    assert f"  '{program}' verify --state '{ROOT}'" in told("")
    assert as_called("there is none; `postern run` and `postern domain add x`") == (
        f"there is none; `'{program}' run` and `'{program}' domain add x`")  # fmt: skip
    assert as_called("`postern`'s postern run") == "`postern`'s postern run"
    monkeypatch.setenv("PATH", str(program.parent))
    assert f"  postern verify --state '{ROOT}'" in told("") and as_called("`postern run`") == "`postern run`"


def test_a_relative_call_stays_as_it_was_typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/postern").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bin/postern"])
    assert called() == "bin/postern"
    monkeypatch.setattr(sys, "argv", ["-m"])
    assert called() == "postern"


def test_notes_are_shown() -> None:
    assert "  Note: [ports] are reserved now." in told("", ("[ports] are reserved now.",))


def test_the_default_folder_needs_no_option() -> None:
    assert not any("--state" in line for line in told("", usual=ROOT))


def test_an_edge_is_told_what_an_edge_does() -> None:
    edge = dataclasses.replace(ORGANIZATION.servers[0], name="edge1", roles=frozenset({Role.EDGE}))
    doors = (OpenDoor("127.0.0.1", 60389, ("edge-adam",)), OpenDoor("127.0.0.1", 60636, ("edgesync",)))
    lines = told("", server=edge, doors=doors)
    assert any("LDAP, the edge's own directory" in line and "RPC" not in line for line in lines)
    assert not any("RPC" in line or "user add" in line for line in lines)
    assert any("postern edge subscription new --output edge1.xml" in line for line in lines)


def test_an_offset_beyond_the_last_port_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        result = CliRunner().invoke(run.run, ["--offset", "15000", "--state", "/nonexistent/state"])
        assert result.exit_code == 2
        return result.output

    monkeypatch.delenv("POSTERN_SHIFT", raising=False)
    assert "65535 is the highest" in said() and "0 to 14899" in said() and "such as --offset 10000" in said()
    monkeypatch.setenv("POSTERN_SHIFT", "make run PORTS={}")
    assert "such as make run PORTS=10000" in said()
