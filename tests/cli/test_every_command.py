"""Every command of the parser, with what a stranger may have written: no control character, no forged line, no broken table.

The list of commands is the parser's own, so that a new one cannot be forgotten: it is walked with hostile arguments, and
what knows --json must have a case in `hostile.SHOWN`, which puts hostile values where the command finds what it prints.

covers: alias, console, directory, disconnected, domain, edge, group, lab, mailbox, main, policy, queue, setup, topology, trace
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from postern.cli import main
from postern.cli.terminal import one_line
from postern.host import configuration, state
from tests.cli.hostile import EVIL, HOSTILE, SEEN, SHOWN, UNSAFE, Stage
from tests.host.folders import short_folder


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
    broken = [line for line in shown.splitlines() if re.search(r"\w-$", line)]
    assert not broken, "a name is not broken at its hyphen"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.split()[-1] in ("list", "show", "stats", "status")])
def test_each_list_is_to_be_had_as_json(name: str) -> None:
    assert any("--json" in one.opts for one in COMMANDS[name].params), name


# What is printed of hostile values


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


def shows_what_it_found(case: str) -> bool:
    """Whether the command's output has foreign values in it: others tell of what they did, or fail with a sentence."""
    acts = ("auth", "retry", "hold", "drop", "up")
    return not isinstance(SHOWN[case][1], str) and not any(word in acts for word in case.split()[1:2])


@pytest.mark.parametrize("case", SHOWN)
def test_what_is_printed_of_a_stranger_is_escaped_and_fits_eighty_columns(case: str, stage: Stage) -> None:
    result = printed(case, stage)
    assert not UNSAFE.search(result.output), repr(UNSAFE.search(result.output))
    assert not re.search(r"^\W*postern: done", result.output, re.MULTILINE)
    if case not in SENTENCES:
        assert max(map(cell_len, result.stdout.splitlines())) <= 80, result.stdout
    if shows_what_it_found(case):
        assert SEEN in re.sub(r"[\s│]", "", result.output), result.output


@pytest.mark.parametrize("case", SHOWN)
def test_in_a_pipe_nothing_is_cut_and_lines_are_not_filled_with_blanks(case: str, stage: Stage) -> None:
    stage.patch.delenv("COLUMNS")
    output = printed(case, stage).output
    assert "…" not in output
    assert max(len(line) - len(line.rstrip()) for line in output.splitlines()) < 2 * len(one_line(HOSTILE))


@pytest.mark.parametrize("case", SHOWN)
def test_json_has_it_whole_and_sends_no_sequence(case: str, stage: Stage) -> None:
    result = printed(case, stage, "--json")
    json.loads(result.stdout)
    assert not UNSAFE.search(result.output)
    if shows_what_it_found(case):
        assert HOSTILE in list(texts(json.loads(result.stdout)))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(one)
    if isinstance(value, dict):
        yield from value
