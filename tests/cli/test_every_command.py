"""Every command of the parser, with what a stranger may have written: no control character, no forged line, no broken table.

The list of commands is the parser's own, so that a new one cannot be forgotten: it is walked with hostile arguments, and
what knows --json must have a case in SHOWN, which puts hostile values where the command finds what it prints.

covers: alias, console, directory, disconnected, domain, edge, group, lab, mailbox, main, policy, queue, setup, topology, trace
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from postern.cli import main
from postern.cli.terminal import one_line
from postern.directory.ad_steps import Delete, Plan, Step
from postern.directory.address_policy import Policy
from postern.directory.administration import Listing
from postern.directory.recipient_update import Done, Preview
from postern.host import configuration, state
from postern.host.active_directory import Prepared
from postern.host.topology import Seen
from postern.lab.matrix import Cell
from postern.lab.matrix import State as CellState
from postern.lab.proof import Drops, Proof
from postern.lab.status import HostStatus
from postern.model.directory import DomainController, RecipientType
from postern.model.mail import Content, Envelope, EnvelopeRecipient, Origin
from postern.model.mailbox import DisconnectedMailbox, Folder, FolderKind
from postern.model.organization import StateFolder
from postern.model.security import Mechanism
from postern.paths.table import TABLE
from postern.services.agent_state import Counts
from postern.services.edge_watch import EdgeStatus
from postern.services.edgesync import Report
from postern.telemetry.observed import Observation
from postern.telemetry.tracking import Step as Tracked
from postern.telemetry.tracking import TrackingRecord
from postern.transport.queued import Location, QueuedMessage, QueuedRecipient
from postern.transport.queued import State as Queued
from postern.verify.report import MechanismReport, RowReport, Verdict
from tests.host.folders import short_folder

EVIL = "al\x1b[2J\u202eice\npostern: done\x9b"
HOSTILE = EVIL + " 회사" + " and so on" * 20 + "x" * 120
"""Sequences that a terminal obeys, letters from right to left, a forged line; longer than two lines."""
SEEN = re.sub(r"\s", "", one_line(EVIL))
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
GUID = UUID("12345678-1234-1234-1234-123456789abc")


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Commands that do something, those of a group that acts without a subcommand among them."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))


ROOTS: dict[str, click.Command] = {
    name: getattr(importlib.import_module(f"postern.cli.{name}"), name) for name in main.COMMANDS
}
COMMANDS = {" ".join(path): command for name, root in ROOTS.items() for path, command in leaves(root, (name,))}


@dataclass(frozen=True)
class Stage:
    """Where a case puts its values."""

    patch: pytest.MonkeyPatch
    folder: Path

    @property
    def state(self) -> StateFolder:
        return state.find(str(self.folder))

    def replies(self, where: str, value: Any) -> None:
        self.patch.setattr(where, lambda *_, **__: value)

    def replies_later(self, where: str, value: Any) -> None:
        async def reply(*_: Any, **__: Any) -> Any:
            return value

        self.patch.setattr(where, reply)


@pytest.fixture(scope="module")
def organized() -> Iterator[Path]:
    """A state folder with an organization whose servers do not run."""
    with short_folder() as folder:
        configuration.default(state.create(folder / "state"))
        (folder / "state" / "server").write_text("server1")
        yield folder / "state"


@pytest.fixture
def stage(organized: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # as nobody who could change the account, or build a lab
    return Stage(monkeypatch, organized)


# Every command, with hostile arguments


def words_of(parameter: click.Parameter, folder: Path) -> list[str]:
    """A hostile value for it, where its type takes any text; one that is right otherwise."""
    kind = parameter.type
    if isinstance(kind, click.Choice):
        value = str(kind.choices[0])
    elif isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        value = "1"
    elif isinstance(kind, click.File | click.Path) or kind.name == "file":
        value = str(folder / "al\x1b[2Jice")
    else:
        value = EVIL
    if isinstance(parameter, click.Option):
        return (
            []
            if parameter.is_flag or parameter.name == "state_dir" or kind.name == "file"
            else [parameter.opts[-1], value]
        )
    return [value]


@pytest.mark.parametrize("name", COMMANDS)
def test_hostile_arguments_reach_no_terminal(
    name: str, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Through the root, with everything that its errors go through. Nothing here runs, so that most commands fail."""
    command = COMMANDS[name]
    (tmp_path / "al\x1b[2Jice").write_bytes(b"From: x@remote.test\r\n\r\n")
    words = [word for one in command.params for word in words_of(one, tmp_path)]
    monkeypatch.setattr("sys.argv", ["postern", "--state", str(stage.folder), *name.split(), *words])
    monkeypatch.setattr("postern.cli.trace._BUFFERED", 0)
    with pytest.raises(SystemExit) as ended:
        main.main()
    said = capfd.readouterr()
    assert not UNSAFE.search(said.out + said.err), repr(UNSAFE.search(said.out + said.err))
    assert "postern: done" not in re.findall(r"^postern: done", said.out + said.err, re.MULTILINE)
    assert ended.value.code != main.EXIT_DEFECT, said.err


@pytest.mark.parametrize("name", COMMANDS)
def test_each_says_what_it_does_within_eighty_columns(name: str) -> None:
    command = COMMANDS[name]
    assert command.help and command.help.split("\n")[0].strip().endswith((".", ":")), name
    for one in command.params:
        assert not isinstance(one, click.Option) or one.help or one.hidden, f"{name}: {one.opts} says nothing"
    shown = CliRunner().invoke(command, ["--help"], env={"COLUMNS": "80"}, prog_name=f"postern {name}").output
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.split()[-1] in ("list", "show", "stats", "status")])
def test_each_list_is_to_be_had_as_json(name: str) -> None:
    assert any("--json" in one.opts for one in COMMANDS[name].params), name


# What is printed of hostile values

LISTING = Listing(
    GUID, RecipientType.USER, HOSTILE, HOSTILE, HOSTILE, (HOSTILE, "b@x.test"), home_server=HOSTILE, target=HOSTILE
)
TEAM = replace(LISTING, type=RecipientType.GROUP, members=(HOSTILE,))
POLICY = Policy(HOSTILE, 1, HOSTILE, (HOSTILE,))
FOLDER = Folder(1, (HOSTILE,), FolderKind.USER, 1, 1, 1, 1, 1, 0, 1, 1, True, ())
HOST = HostStatus(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, True, (HOSTILE,), (f"TCP {HOSTILE}",), True, {})


def message(state: Queued = Queued.PENDING) -> QueuedMessage:
    return QueuedMessage(
        *(1, "a1-1", f"<{HOSTILE}@x>", Envelope(HOSTILE, (EnvelopeRecipient(HOSTILE),))),
        *(Origin("internet-to-hub", HOSTILE), 1.0, Location(1, 0, 1), Content((b"x",), 1)),
        [QueuedRecipient(0, HOSTILE, state=state, hop=f"smtp:{HOSTILE}", status="4.4.1", error=HOSTILE)],
    )


def in_directory(value: Any) -> Callable[[Stage, str], None]:
    def put(stage: Stage, module: str) -> None:
        stage.replies(f"postern.cli.{module}.in_directory", value)

    return put


def on_policies(value: Any) -> Callable[[Stage, str], None]:
    return lambda stage, _: stage.replies("postern.cli.policy._on_policies", value)


def on_hub(value: Any) -> Callable[[Stage, str], None]:
    return lambda stage, _: stage.replies("postern.cli.edge._on_hub", value)


def queued(kind: Queued = Queued.PENDING) -> Callable[[Stage, str], None]:
    def put(stage: Stage, _: str) -> None:
        stage.replies("postern.transport.control.folders", [stage.folder])
        stage.replies("postern.transport.control.listed", [message(kind)])
        stage.replies("postern.transport.control.ask", 1)

    return put


def disconnected(stage: Stage, _: str) -> None:
    stage.replies("postern.cli.disconnected.in_directory", [DisconnectedMailbox(GUID, HOSTILE, 1, 1, 1)])


def stats(stage: Stage, _: str) -> None:
    from postern.cli.mailbox import _Mailbox

    stage.replies("postern.cli.mailbox.in_directory", [_Mailbox(LISTING, 1, [FOLDER])])


def address_policies(stage: Stage, _: str) -> None:
    stage.replies("postern.cli.policy._here", (None, None, None))
    stage.replies_later("postern.host.address_policies.apply", (HOSTILE, Done(1, 1, (HOSTILE,))))


def forest(stage: Stage, _: str) -> None:
    plan = Plan((Step(HOSTILE, HOSTILE, Delete(HOSTILE)),), (HOSTILE,))
    stage.replies("postern.cli.setup._request", None)
    stage.replies_later("postern.host.active_directory.prepare", Prepared(plan, controller()))


def controller() -> DomainController:
    return DomainController(HOSTILE, HOSTILE, HOSTILE, False, True)


def domain(stage: Stage, _: str) -> None:
    class WithDomain:
        class active_directory:
            domain = HOSTILE

    stage.replies("postern.host.configuration.load", WithDomain)
    stage.replies("postern.host.configuration.this_server", None)
    stage.replies_later("postern.host.topology.seen", Seen(HOSTILE, (controller(),), True))


def observed(stage: Stage, _: str) -> None:
    stage.replies("postern.cli.paths.read", [Observation(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1, 1.0, 2.0)])


def dialled(stage: Stage, _: str) -> None:
    row = TABLE["imap4"]
    seen = MechanismReport(Mechanism.BASIC, Verdict.FAIL, HOSTILE)
    reports = [
        RowReport(row, Verdict.FAIL, HOSTILE, [seen], ports=[HOSTILE]),
        RowReport(row, Verdict.NOT_DEPLOYED, HOSTILE),
    ]
    stage.replies("postern.cli.verify._subject", type("Subject", (), {"rows": TABLE}))
    stage.replies("postern.verify.runner.verify", reports)


def counted(stage: Stage, _: str) -> None:
    stage.replies("postern.cli.agent.total", {HOSTILE: Counts(1, 1, 1, 1, 1.0)})


def tried(stage: Stage, _: str) -> None:
    from postern.cli.agent_test import Trial

    stage.replies("postern.cli.agent_test.tried", Trial([(HOSTILE, HOSTILE, HOSTILE)], [HOSTILE]))


def edges(stage: Stage, _: str) -> None:
    one = {"edge": HOSTILE, "fqdn": HOSTILE, "site": HOSTILE, "port": 1, "hubs": [HOSTILE], "certificate_until": 0}
    stage.replies("postern.cli.edge._on_hub", [one])


def traced(stage: Stage, _: str) -> None:
    record = TrackingRecord(
        Tracked.RECEIVE, f"<{HOSTILE}@x>", "q1", HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), HOSTILE
    )
    stage.patch.setattr("postern.telemetry.tracking.read", lambda *_: iter([record]))


def a_lab(stage: Stage, _: str) -> None:
    stage.replies("postern.lab.build.check", None)
    stage.replies("postern.lab.status.status", [HOST])


def proven(stage: Stage, _: str) -> None:
    cells = {"imap4": {"hub1": Cell(CellState.FAILS, (HOSTILE,))}}
    stage.replies("postern.lab.build.check", None)
    stage.replies("postern.lab.proof.verify", Proof(cells, {"hub1": Drops(0, 0, 0)}, 1, 0.1))


def built(stage: Stage, _: str) -> None:
    stage.replies("postern.lab.build.up", None)


SYNCED = Report(HOSTILE, True, 1, 1, 1, 1, 1, 1.0)
FARES = EdgeStatus(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 0, 0, 1, 0, 0, (HOSTILE,))
SUBSCRIBED = {"edge": HOSTILE, "fqdn": HOSTILE, "site": HOSTILE, "port": 1}
PLAIN = "nothing of a stranger's stands in it"

SHOWN: dict[str, tuple[Sequence[str], Callable[[Stage, str], None] | str]] = {
    "user list": ((), in_directory([LISTING])),
    "user show": (("x",), in_directory(LISTING)),
    "group list": ((), in_directory([TEAM])),
    "group show": (("x",), in_directory(TEAM)),
    "alias list": ((), in_directory([LISTING])),
    "domain list": ((), in_directory([(HOSTILE, HOSTILE, "directory")])),
    "domain auth list": ((), in_directory(frozenset({"nt"}))),
    "domain dkim": (("example.test",), PLAIN),
    "mailbox list": (("--disconnected",), disconnected),
    "mailbox stats": ((), stats),
    "policy address list": ((), on_policies([(POLICY, 1)])),
    "policy address show": (("x",), on_policies(POLICY)),
    "policy address preview": ((), on_policies([Preview(HOSTILE, (HOSTILE,), ("x",))])),
    "policy address apply": ((), address_policies),
    "setup ad": (("--dry-run",), forest),
    "topology": ((), domain),
    "paths": ((), PLAIN),
    "paths show": (("imap4",), PLAIN),
    "paths observed": ((), observed),
    "verify": ((), dialled),
    "agent list": ((), PLAIN),
    "agent show": (("connection-filter",), PLAIN),
    "agent stats": ((), counted),
    "agent test": ((__file__,), tried),
    "edge subscribe": ((__file__,), on_hub(SUBSCRIBED)),
    "edge list": ((), edges),
    "edge status": ((), on_hub([FARES])),
    "edge unsubscribe": ((HOSTILE,), on_hub(True)),
    "edge sync": ((), on_hub([SYNCED])),
    "queue list": ((), queued()),
    "queue list --poison": ((), queued(Queued.POISON)),
    "mailbox stats x": ((), stats),
    "queue show": (("a1-1",), queued()),
    "queue retry": (("--all",), queued()),
    "queue hold": (("--all",), queued()),
    "queue drop": (("--all",), queued()),
    "trace": ((HOSTILE,), traced),
    "lab up": ((), built),
    "lab status": ((), a_lab),
    "lab verify": (("--doors",), proven),
}


def test_whatever_knows_json_has_a_case() -> None:
    known = {name for name, command in COMMANDS.items() if any("--json" in one.opts for one in command.params)}
    assert known == {name for name in SHOWN if name in COMMANDS}


def printed(case: str, stage: Stage, *more: str) -> Result:
    words, put = SHOWN[case]
    name = case if case in COMMANDS else case.rpartition(" ")[0]
    module, *_ = name.split()
    extra = case.removeprefix(name).split()
    if not isinstance(put, str):
        put(stage, module)
    found = COMMANDS[name]
    rest = [] if module == "lab" or name == "paths show" else ["--state", str(stage.folder)]
    result = CliRunner().invoke(found, [*words, *extra, *rest, *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in (0, 1), result.output
    return result


SENTENCES = {
    "setup ad",
    "topology",
    "edge subscribe",
    "edge unsubscribe",
    "policy address apply",
    "agent test",
    "domain dkim",
    "lab up",
    "verify",
    "lab verify",
}
"""They say sentences or lines to copy, which a terminal may break where it likes; `verify` has cells in words."""


@pytest.mark.parametrize("case", SHOWN)
def test_what_is_printed_of_a_stranger_is_escaped_and_fits_eighty_columns(case: str, stage: Stage) -> None:
    result = printed(case, stage)
    assert not UNSAFE.search(result.output), repr(UNSAFE.search(result.output))
    assert not re.search(r"^\W*postern: done", result.output, re.MULTILINE)
    if case not in SENTENCES:
        assert max(map(cell_len, result.stdout.splitlines())) <= 80, result.stdout
    if not isinstance(SHOWN[case][1], str) and case.split()[1:2] not in (
        ["auth"],
        ["retry"],
        ["hold"],
        ["drop"],
        ["up"],
    ):
        assert SEEN in re.sub(r"[\s│]", "", result.output), result.output


@pytest.mark.parametrize("case", SHOWN)
def test_json_has_it_whole_and_sends_no_sequence(case: str, stage: Stage) -> None:
    result = printed(case, stage, "--json")
    json.loads(result.stdout)
    assert not UNSAFE.search(result.output)
    if not isinstance(SHOWN[case][1], str) and case.split()[1:2] not in (
        ["auth"],
        ["retry"],
        ["hold"],
        ["drop"],
        ["up"],
    ):
        assert HOSTILE in list(texts(json.loads(result.stdout)))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(one)
    if isinstance(value, dict):
        yield from value
