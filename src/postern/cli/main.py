"""The root of the command line: finds the subcommand, imports only that, and tells errors in one line.

Reads nothing itself. Each subcommand is a module of this package with a click command of the module's name.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import sys
from typing import Any, NoReturn

import click

from postern.cli.terminal import echo

COMMANDS = {
    "run": "Start the organization on this host and keep it running.",
    "user": "Add, show, change and remove users.",
    "group": "Add, show, change and remove groups.",
    "alias": "Give a recipient further addresses.",
    "domain": "Accepted domains, their DKIM keys, and which mechanisms their users may use.",
    "mailbox": "Sizes and counts of mailboxes.",
    "policy": "Which addresses recipients get: e-mail address policies of Active Directory.",
    "setup": "Prepare Active Directory for the organization.",
    "topology": "Sites, domain controllers and global catalogues, and how they fare.",
    "paths": "The table of data paths: show, compare, observe, make a firewall.",
    "verify": "Dial every data path and compare what is seen with what is declared.",
    "agent": "Transport agents: list, show, switch, set, try a message on them, count.",
    "edge": "Edge servers: subscribe, synchronize, see how they fare.",
    "queue": "List, show, export, retry, hold and drop queued messages.",
    "trace": "What happened to a message, step by step.",
    "lab": "A whole organization of several hosts on this machine: rehearse, train, prove a firewall.",
}

EXIT_FAILED = 1
EXIT_DEFECT = 70
"""sysexits.h EX_SOFTWARE: not the user's mistake."""


class LazyGroup(click.Group):
    """Subcommands are imported when they are called; the list of them costs no import."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [name for name in COMMANDS if importlib.util.find_spec(f"postern.cli.{name}") is not None]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        command: click.Command = getattr(importlib.import_module(f"postern.cli.{name}"), name)
        if name != "run":
            _act_as_owner(command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(context)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="postern", message="postern %(version)s")
def postern() -> None:
    """Postern: a messaging system whose data paths are a table that the program executes.

    The organization lives in a state folder: the one given with --state, else $POSTERN_STATE, else /var/lib/postern
    (root) or ~/.local/state/postern.
    """


def main() -> NoReturn:
    """The entry point. Errors are one line and an exit status; POSTERN_DEBUG=1 shows where they come from."""
    try:
        status = postern(prog_name="postern", standalone_mode=False)
    except click.ClickException as error:
        _show(error)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader (a pager, head) has gone; so that Python's last flush does not complain:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except Exception as error:
        if os.environ.get("POSTERN_DEBUG"):
            raise
        sys.exit(_tell(error))
    sys.exit(status if isinstance(status, int) else 0)  # click gives an Exit's status back, and commands nothing


def _show(error: click.ClickException) -> None:
    """Click's own display (usage errors add the usage line), with what it quotes made visible."""
    with io.StringIO() as shown:
        error.show(shown)
        echo(shown.getvalue(), err=True, nl=False)


def _tell(error: Exception) -> int:
    """Exceptions of our own speak for themselves; any other is a defect, and says so."""
    if type(error).__module__.startswith("postern."):
        echo(f"postern: {error}" if str(error) else f"postern: {type(error).__name__}", err=True)
        return EXIT_FAILED
    if isinstance(error, OSError):
        echo(f"postern: {error}", err=True)
        return EXIT_FAILED
    echo(f"postern: a defect: {type(error).__name__}: {error} (POSTERN_DEBUG=1 shows where)", err=True)
    return EXIT_DEFECT


def _act_as_owner(command: click.Command) -> None:
    """Root's commands are carried out as the state folder's owner: every --state option, at any depth, sees to it."""
    if os.geteuid() != 0:
        return
    for parameter in command.params:
        if parameter.name == "state_dir":
            parameter.callback = _become_owner
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _act_as_owner(inner)


def _become_owner(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    from postern.host import state

    folder = state.find(value)
    if not state.is_ours(folder):
        return value
    state.act_as_owner(folder)
    return str(folder.root)  # where nobody named one, the owner's default would be another than root's
