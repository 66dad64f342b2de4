"""The root of the command line: finds the subcommand, imports only that, and turns errors into one line and an exit status.

Reads nothing itself. Each subcommand is a module of this package with a click command of the module's name.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any, NoReturn

import click

from postern.cli.called import as_called
from postern.cli.failures import INTERRUPTED, READER_GONE, status_of
from postern.cli.state_folder import group_option, on_a_state_folder
from postern.cli.terminal import echo, echo_page

COMMANDS = {
    "run": "Start the organization on this host and keep it running.",
    "user": "Add, show, change and remove users.",
    "room": "Add rooms and equipment, and set how they are booked.",
    "group": "Add, show, change and remove groups.",
    "alias": "Give a recipient further addresses.",
    "domain": "Manage accepted domains, their DKIM keys and DNS records, and mechanisms of their users.",
    "database": "List mailbox databases: which server has each, where it lies, how large it is.",
    "mailbox": "Show sizes of mailboxes and share them; connect and purge those that lost their user.",
    "certificate": "Manage the server's certificate: show, request, import, renew.",
    "policy": "Manage the e-mail address policies of Active Directory.",
    "setup": "Prepare Active Directory for the organization.",
    "topology": "Show sites and domain controllers, and which of them answer.",
    "paths": "Show, compare and observe the data paths; make a host's firewall.",
    "verify": "Dial every data path and compare what is seen with what is declared.",
    "agent": "List, show, switch, set, test and count transport agents.",
    "edge": "Subscribe edge servers, synchronize them, show their state.",
    "queue": "List, show, export, retry, hold and drop queued messages.",
    "trace": "Show what happened to a message, step by step.",
    "lab": "Build a whole organization of several hosts on this machine, and prove its firewalls.",
}


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is called; the list of them costs no import."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [name for name in COMMANDS if importlib.util.find_spec(f"postern.cli.{name}") is not None]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        command: click.Command = getattr(importlib.import_module(f"postern.cli.{name}"), name)
        if name != "lab":  # whose hosts have state folders of their own
            on_a_state_folder(command, as_owner=name != "run")
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolves as groups do. Raises click.UsageError, which says what a mistyped command may have meant."""
        from postern.model.words import meant  # difflib is slow to import

        word = arguments[0]
        hint = (
            "" if word.startswith("-") or self.get_command(context, word) else meant(word, self.list_commands(context))
        )
        if hint:
            raise click.UsageError(f"there is no command {word}{hint}", context)
        return super().resolve_command(context, arguments)

    def invoke(self, context: click.Context) -> Any:
        """Invokes the command, and writes what is still in memory while somebody can be told that the reader has gone."""
        try:
            try:
                return super().invoke(context)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes standard output once more when it ends, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(READER_GONE)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(context)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="postern", message="postern %(version)s")
def postern() -> None:
    """Postern is a messaging system whose data paths are a table that the program executes.

    The organization lives in a state folder: the one that --state names (before or after the command), else
    $POSTERN_STATE, else /var/lib/postern (root) or ~/.local/state/postern.

    The exit status is 0 if all went well and 1 if a check found something wrong. A failure has a status of sysexits.h:

    \b
      64  the command was not understood
      65  a value is not right, or already taken
      66  a file to read is not there
      67  no user, message or other thing has that name
      69  a server or a program does not answer or is missing
      70  a defect of Postern
      73  a file cannot be made; 74: reading or writing failed
      75  not now: the same command may succeed later
      77  no right to do that
      78  the configuration does not allow it
     130  interrupted; 141: the reader of a pipe has gone
    """


postern.params.append(group_option())


def main() -> NoReturn:
    """Runs `postern` as the shell called it. POSTERN_DEBUG=1 shows where an error comes from."""
    if sys.stdout is None:
        # The first file that is opened would take the descriptor, and what is printed would go into it.
        _say("standard output is closed, and nothing can be shown: send it to a file, or to /dev/null")
        sys.exit(os.EX_IOERR)
    try:
        status = postern(prog_name="postern", standalone_mode=False)
    except click.ClickException as error:
        _show(error)
        # Click has a number of its own for a command that was not understood, 2.
        sys.exit(os.EX_USAGE if isinstance(error, click.UsageError) else error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        echo("postern: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("POSTERN_DEBUG"):
            raise
        sys.exit(_tell(error))
    sys.exit(status if isinstance(status, int) else 0)  # click gives an Exit's status back, and commands nothing


def _show(error: click.ClickException) -> None:
    """Prints what was wrong, after the usage line where the command was not understood."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        echo_page(error.format_message() + "\n", err=True)
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        echo_page(error.ctx.get_usage() + "\n", err=True)
        echo(as_called(f"`{error.ctx.command_path} --help` says more."), err=True)
    _say(error.format_message())


def _say(message: str) -> None:
    """Prints an error in the one form that all have. Further lines are set in, so that none looks like a line of ours."""
    echo_page("postern: " + as_called(message).rstrip().replace("\n", "\n  ") + "\n", err=True)


def _tell(error: Exception) -> int:
    """Prints an exception and returns its exit status. Ours explain themselves; one that nobody expected is a defect."""
    status = status_of(error)
    if status == os.EX_SOFTWARE:
        _say(f"a defect: {type(error).__name__}: {error}: POSTERN_DEBUG=1 shows where")
    elif isinstance(error, OSError):
        _say(": ".join(filter(None, (_file_of(error), error.strerror))) or str(error))
    else:
        _say(str(error) or type(error).__name__)
    return status


def _file_of(error: OSError) -> str:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
