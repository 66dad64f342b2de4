"""The option --state, which may stand before a command or after it; and the account that a command on a state folder runs as."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from postern.cli.failures import Failure

if TYPE_CHECKING:
    from postern.model.organization import StateFolder

_STATE = "postern.state"
_seen: set[click.Command] = set()
_low_ports: set[Callable[..., Any]] = set()


def named(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Is the callback of every --state: the one nearest to the command counts; a command without one takes its group's."""
    if value:
        context.meta[_STATE] = value[0] if parameter.multiple else value
        return value
    inherited = context.meta.get(_STATE)
    return (inherited,) if parameter.multiple and inherited else value if parameter.multiple else inherited


state_option = click.option(
    "--state", "state_dir", metavar="DIR", callback=named, help="The state folder of the organization."
)


def named_folder(text: str) -> tuple[str, str]:
    """Reads `[NAME=]DIR`, as an option that may be repeated has it: the server's name, "" for none, and the folder."""
    name, equals, folder = text.partition("=")
    return (name, folder) if equals and "/" not in name else ("", text)


def existing(state_dir: str | None) -> StateFolder:
    """Returns the state folder, for a command that reads its files. Raises Failure if there is none of that name."""
    from postern.host import state

    folder = state.find(state_dir)
    if not folder.root.is_dir():
        raise Failure(f"there is no state folder {folder.root}: name the organization's with --state", os.EX_CONFIG)
    return folder


def group_option() -> click.Option:
    """Makes the option of a group, for the commands below it, and of a command that reads no state folder."""
    return click.Option(
        ["--state"], metavar="DIR", expose_value=False, callback=named, help="The state folder of the organization."
    )


def keeps_low_ports(act: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a command that opens a port below 1024, so that root's keeps the right to. It stands below `click.command`."""
    _low_ports.add(act)
    return act


def on_a_state_folder(command: click.Command, as_owner: bool) -> None:
    """Gives each command a --state option, refuses who may not use the state folder, and has root's commands carried out as the
    state folder's owner.

    The account changes when all arguments are read and before the command acts, so that files which it was given are opened
    as the user who typed it. A command whose option is not called `state_dir` changes the account itself.
    """
    if command in _seen:
        return
    _seen.add(command)
    for parameter in command.params:
        ours = "--state" in parameter.opts and parameter.name in ("state_dir", "state_dirs")
        if ours and command.callback is not None:
            command.callback = _with_rights(command.callback, str(parameter.name), as_owner)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            on_a_state_folder(inner, as_owner)
    if not any("--state" in parameter.opts for parameter in command.params):
        command.params.append(group_option())


def _with_rights(act: Callable[..., Any], option: str, as_owner: bool) -> Callable[..., Any]:
    @functools.wraps(act)
    def acting(*arguments: Any, **options: Any) -> Any:
        context = click.get_current_context()
        if context.invoked_subcommand is None:
            if os.geteuid() != 0:
                refuse_without_rights(options[option])
            elif as_owner:
                options[option] = become_owner(options[option], act in _low_ports)
        return act(*arguments, **options)

    return acting


def refuse_without_rights(value: Any) -> None:
    """Raises Failure if this account may not read a state folder that `value` names, or its postern.toml. What is not there is
    left to the command."""
    from postern.host import account, state

    for name in _folders(value):
        folder = state.find(name).root
        for path, right in ((folder, os.R_OK | os.X_OK), (folder / state.CONFIGURATION, os.R_OK)):
            try:
                owner = account.owner(path).name
                permitted = os.access(path, right, effective_ids=True)
            except PermissionError:
                owner, permitted = "the account that owns it", False
            except OSError:
                continue
            if not permitted:
                raise Failure(
                    f"no right to use {path}: run this as root or as {owner}, or name another state folder with --state",
                    os.EX_NOPERM,
                )


def become_owner(value: Any, keep_low_ports: bool = False) -> Any:
    """Makes this process the owner of the state folder that `value` names; of the first, where it names several. With
    `keep_low_ports` it may open ports below 1024."""
    from postern.host import state

    folder = state.find(_folders(value)[0])
    if not state.is_ours(folder):
        return value
    state.act_as_owner(folder, keep_low_ports)
    # Where nobody named one, the owner's default would be another than root's.
    return str(folder.root) if not isinstance(value, tuple) else value or (str(folder.root),)


def _folders(value: Any) -> tuple[str | None, ...]:
    """The folders in the value of --state, which is a tuple where it may be repeated; (None,) where nobody named one."""
    if not isinstance(value, tuple):
        return (value,)
    return tuple(named_folder(text)[1] for text in value) or (None,)
