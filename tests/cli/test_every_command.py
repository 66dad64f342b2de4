"""Every command of the parser speaks with one voice, and prints nothing unsafe of what a stranger may have written.

The list of commands is the parser's own, so that a new one cannot be forgotten. It must have a help that is a sentence, an
example that parses, --state before and after it, --json if it shows something, and failures with a status of sysexits.h. It is
walked with hostile arguments, and what knows --json must have a case in `hostile.SHOWN`, which puts hostile values where the
command finds what it prints; the names and types of its fields must be in `FIELDS`.

covers: alias, console, directory, disconnected, domain, edge, failures, group, lab, mailbox, main, policy, queue, setup
covers: topology, trace
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from postern.cli import failures, main
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


def groups(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Group]]:
    if isinstance(command, click.Group):
        yield path, command
        for name, inner in command.commands.items():
            yield from groups(inner, (*path, name))


ROOTS: dict[str, click.Command] = {
    name: command
    for name in main.COMMANDS
    if (command := main.postern.get_command(click.Context(main.postern), name)) is not None
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


def arguments_of(command: click.Command, folder: Path) -> list[str]:
    return [word for one in command.params for word in words_of(one, folder)]


STATUSES = {
    *(0, failures.FOUND_WRONG, os.EX_USAGE, os.EX_DATAERR, os.EX_NOINPUT, os.EX_NOUSER, os.EX_UNAVAILABLE),
    *(os.EX_CANTCREAT, os.EX_IOERR, os.EX_TEMPFAIL, os.EX_NOPERM, os.EX_CONFIG),
}
"""What a command may end with, as `postern --help` explains them; EX_SOFTWARE would be a defect."""


@pytest.mark.parametrize("name", COMMANDS)
def test_hostile_arguments_reach_no_terminal(
    name: str, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Through the root, with everything that its errors go through. Nothing here runs, so that most commands fail."""
    command = COMMANDS[name]
    (tmp_path / "al\x1b[2Jice").write_bytes(b"From: x@remote.test\r\n\r\n")
    words = arguments_of(command, tmp_path)
    monkeypatch.setattr("sys.argv", ["postern", "--state", str(stage.folder), *name.split(), *words])
    monkeypatch.setattr("postern.cli.trace._BUFFERED", 0)
    with pytest.raises(SystemExit) as ended:
        main.main()
    said = capfd.readouterr()
    assert not UNSAFE.search(said.out + said.err), repr(UNSAFE.search(said.out + said.err))
    assert "postern: done" not in re.findall(r"^postern: done", said.out + said.err, re.MULTILINE)
    assert ended.value.code in STATUSES, (ended.value.code, said.err)


VERBS = {
    *(
        "Accept",
        "Add",
        "Ask",
        "Bring",
        "Build",
        "Count",
        "Delete",
        "Dial",
        "Disable",
        "Draw",
        "Enable",
        "End",
        "Extend",
    ),
    *(
        "Forward",
        "Give",
        "Have",
        "Keep",
        "Let",
        "List",
        "Make",
        "Manage",
        "Prepare",
        "Print",
        "Prove",
        "Purge",
        "Put",
        "Remove",
    ),
    *("Run", "Set", "Show", "Start", "Stop", "Subscribe", "Switch", "Take", "Trust", "Try", "Write", "Change"),
}
"""The imperatives with which helps begin; a new command may bring another verb, and no noun."""
GROUPS = {" ".join(path): group for name, root in ROOTS.items() for path, group in groups(root, (name,))}


@pytest.mark.parametrize("name", {**COMMANDS, **GROUPS})
def test_each_help_is_a_sentence_that_says_what_to_do(name: str) -> None:
    command = {**COMMANDS, **GROUPS}[name]
    first = re.split(r"\n\n", command.help or "")[0].strip()
    assert first.split(" ")[0] in VERBS, f"{name}: {first}"
    assert first.endswith("."), f"{name}: {first}"
    for one in command.params:
        if isinstance(one, click.Option) and not one.hidden:
            assert one.help and re.match(r"[A-Z0-9]", one.help) and one.help.endswith("."), (
                f"{name}: {one.opts}: {one.help}"
            )


@pytest.mark.parametrize("name", main.COMMANDS)
def test_the_list_of_commands_says_it_in_the_same_way(name: str) -> None:
    assert main.COMMANDS[name].split(" ")[0].rstrip(",") in VERBS and main.COMMANDS[name].endswith("."), name


def example_of(name: str) -> list[str]:
    """The words of the example in a command's help, without `postern`."""
    paragraphs = re.split(r"\n\n", COMMANDS[name].help or "")
    (line,) = [p.strip() for p in paragraphs if p.strip().startswith("For example ")]
    command = re.fullmatch(r"For example `postern ([^`\n]+)`\.", line)
    assert command is not None, f"{name}: {line}"
    assert len(line) <= 76, f"{name}: a terminal of 80 columns would break the example"
    return shlex.split(command[1])


@pytest.mark.parametrize("name", COMMANDS)
def test_each_help_has_an_example_that_parses(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = example_of(name)
    assert words[: len(name.split())] == name.split()
    words = words[len(name.split()) :]
    for word in words:
        if word.endswith((".eml", ".xml", ".pem", ".key")):
            (tmp_path / word).touch()
    COMMANDS[name].make_context(name, words)  # raises UsageError


# The state folder


@pytest.mark.parametrize("name", [name for name in COMMANDS if not name.startswith("lab ")])
def test_the_state_folder_may_stand_before_and_after_every_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the lab, whose hosts have state folders of their own."""
    command, seen = COMMANDS[name], []
    typed = [one for one in command.params if one.required]
    monkeypatch.setattr(command, "callback", lambda **_: seen.append(click.get_current_context().meta["postern.state"]))
    arguments = [word for one in typed for word in (["1K"] if one.metavar == "SIZE" else words_of(one, tmp_path))]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "al\x1b[2Jice").touch()
    path = name.split()
    for place in range(len(path) + 1):
        main.postern([*path[:place], "--state", f"/at/{place}", *path[place:], *arguments], standalone_mode=False)
    assert seen == [f"/at/{place}" for place in range(len(path) + 1)]


# Help


@pytest.mark.parametrize("name", COMMANDS)
def test_each_says_what_it_does_within_eighty_columns(name: str) -> None:
    command = COMMANDS[name]
    shown = CliRunner().invoke(command, ["--help"], env={"COLUMNS": "80"}, prog_name=f"postern {name}").output
    assert max(map(len, shown.splitlines())) <= 80
    broken = [line for line in shown.splitlines() if re.search(r"\w-$", line)]
    assert not broken, "a name is not broken at its hyphen"


SHOWING = {"List", "Show", "Count", "Dial", "Prove", "Ask"}
"""The verbs of commands that show something; those that print a text of another format (a ruleset, SVG) say Print or Draw."""


@pytest.mark.parametrize(
    "name", [name for name, command in COMMANDS.items() if (command.help or "").split()[0] in SHOWING]
)
def test_what_shows_something_shows_it_as_json_too(name: str) -> None:
    assert any("--json" in one.opts for one in COMMANDS[name].params), name


def test_no_message_is_raised_without_a_status() -> None:
    """ClickException ends with 1, which is kept for a check that found something wrong: `failures.Failure` has a status."""
    folder = Path(main.__file__).parent
    raised = [p.name for p in folder.glob("*.py") if "raise click.ClickException" in p.read_text(encoding="utf-8")]
    assert not raised


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
    assert result.exit_code in (0, failures.FOUND_WRONG), result.output
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
    value = json.loads(result.stdout)
    assert not UNSAFE.search(result.output)
    for name, kind in fields(value):
        known = FIELDS.get(name, set())
        assert kind in known or (kind == "null" and MOMENT in known), f"docs/json.md does not know {name} as {kind}"
    if shows_what_it_found(case):
        assert HOSTILE in list(texts(json.loads(result.stdout)))


MOMENT = "moment"
"""ISO 8601 in UTC, to the millisecond, or null."""


def documented() -> dict[str, set[str]]:
    """The types of each field, as docs/json.md has them."""
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    return {name: set(kinds.split(", ")) for names, kinds, _ in rows for name in re.findall(r"`([a-z_]+)`", names)}


FIELDS = documented()


def fields(value: Any) -> Iterator[tuple[str, str]]:
    """The names of a value's fields, with the type of each."""
    for inner in value if isinstance(value, list) else ():
        yield from fields(inner)
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield name, kind_of(inner)
        yield from fields(without_names(name, inner))


def without_names(field: str, value: Any) -> Any:
    """Values without the names of settings, profiles, rows, hosts or counters that they stand by."""
    if field in ("settings", "lost"):
        return None
    if field in ("profiles", "drops", "servers", "troubles"):
        return list(value.values())
    return [cell for row in value.values() for cell in row.values()] if field == "cells" else value


def kind_of(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value):
        return MOMENT
    return "null" if value is None else type(value).__name__


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(one)
    if isinstance(value, dict):
        yield from value
