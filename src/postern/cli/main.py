"""The root of the command line: finds the subcommand, imports only that, and tells errors in one line.

Reads nothing itself. Each subcommand is a module of this package with a click command of the module's name.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import NoReturn

import click

from postern.cli.called import as_called
from postern.cli.state_folder import group_option, on_a_state_folder
from postern.cli.terminal import echo, echo_page

COMMANDS = {
    "run": "Start the organization on this host and keep it running.",
    "user": "Add, show, change and remove users.",
    "group": "Add, show, change and remove groups.",
    "alias": "Give a recipient further addresses.",
    "domain": "Accepted domains, their DKIM keys, and which mechanisms their users may use.",
    "database": "Mailbox databases: which server has each, where it lies, how large it is.",
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
EXIT_INTERRUPTED = 130
"""128 and SIGINT's number, as shells say it."""


class LazyGroup(click.Group):
    """Subcommands are imported when they are called; the list of them costs no import."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [name for name in COMMANDS if importlib.util.find_spec(f"postern.cli.{name}") is not None]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        command: click.Command = getattr(importlib.import_module(f"postern.cli.{name}"), name)
        on_a_state_folder(command, as_owner=name != "run")
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As groups do it, and tells which command a mistyped one may have meant."""
        from postern.model.words import meant  # difflib is for mistakes alone

        word = arguments[0]
        hint = (
            "" if word.startswith("-") or self.get_command(context, word) else meant(word, self.list_commands(context))
        )
        if hint:
            raise click.UsageError(f"there is no command {word}{hint}", context)
        return super().resolve_command(context, arguments)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(context)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="postern", message="postern %(version)s")
def postern() -> None:
    """Postern: a messaging system whose data paths are a table that the program executes.

    The organization lives in a state folder: the one given with --state (before or after the command), else
    $POSTERN_STATE, else /var/lib/postern (root) or ~/.local/state/postern.

    The exit status is 0 if all went well, 1 if something failed or a check found something wrong, 2 if the command was
    not understood or the check could not run, 70 for a defect of the program, 130 if it was interrupted.
    """


postern.params.append(group_option())


def main() -> NoReturn:
    """The entry point. Errors are one line and an exit status; POSTERN_DEBUG=1 shows where they come from."""
    try:
        status = postern(prog_name="postern", standalone_mode=False)
    except click.ClickException as error:
        _show(error)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        echo("postern: interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
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
    """What was wrong, after the usage line where the command was not understood."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        echo_page(error.ctx.get_usage() + "\n", err=True)
        echo(as_called(f"`{error.ctx.command_path} --help` tells more."), err=True)
    _say(error.format_message())


def _say(words: str) -> None:
    """An error, in the one form that all have. Further lines are set in, so that none looks like one of ours."""
    echo_page("postern: " + as_called(words).rstrip().replace("\n", "\n  ") + "\n", err=True)


def _tell(error: Exception) -> int:
    """Exceptions of our own speak for themselves; any other is a defect, and says so."""
    if type(error).__module__.startswith("postern."):
        _say(str(error) or type(error).__name__)
        return EXIT_FAILED
    if isinstance(error, OSError):
        _say(": ".join(filter(None, (_file_of(error), error.strerror))) or str(error))
        return EXIT_FAILED
    _say(f"a defect: {type(error).__name__}: {error} (POSTERN_DEBUG=1 shows where)")
    return EXIT_DEFECT


def _file_of(error: OSError) -> str:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
