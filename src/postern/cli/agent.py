"""`postern agent` shows and changes the transport agents of this host, and tries a message on all of them.

It writes the agents' file of the state folder. Running workers read that file again within seconds; nothing is restarted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, BinaryIO

import click

from postern.cli.failures import FOUND_WRONG, Failure
from postern.cli.files import Input
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_fields, print_table
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.model.words import counted
from postern.services.agents.state import AgentFile, AgentState, total
from postern.transport.agents.catalogue import BUILT, CATALOGUE
from postern.transport.agents.settings import described, from_words, load

_BUILT = click.Choice(list(BUILT))


@click.group("agent")
def agent() -> None:
    """Manage the transport agents, which look at mail from strangers and at mail that leaves."""


@agent.command("list")
@json_option
@state_option
def list_(as_json: bool, state_dir: str | None) -> None:
    """List all agents in the order in which they run, with those that are not built and what they wait for.

    For example `postern agent list --json`.
    """
    folder, organization = _here(state_dir)
    state, on_edge = AgentFile(folder.root).read(), _on_edge(organization)
    if as_json:
        echo_json(
            [
                {
                    "name": entry.name,
                    "built": not entry.waits_for,
                    "enabled": not entry.waits_for and state.is_enabled(entry.name, on_edge),
                    "when": entry.when(),
                    "in_doubt": entry.doubt,
                    "does": entry.says,
                    "waits_for": entry.waits_for,
                }
                for entry in CATALOGUE
            ]
        )
        return
    rows = []
    for entry in CATALOGUE:
        if entry.waits_for:
            rows.append((entry.name, "not built", f"{entry.says}; waits for {entry.waits_for}"))
        else:
            rows.append((entry.name, "on" if state.is_enabled(entry.name, on_edge) else "off", entry.says))
    print_table(("agent", "is", "does"), rows, "")


@agent.command("show")
@click.argument("name", type=_BUILT, metavar="AGENT")
@json_option
@state_option
def show(name: str, as_json: bool, state_dir: str | None) -> None:
    """Show the settings of an agent, and what each of them means.

    For example `postern agent show recipient-filter`.
    """
    folder, organization = _here(state_dir)
    state, entry = AgentFile(folder.root).read(), BUILT[name]
    enabled, settings = state.is_enabled(name, _on_edge(organization)), state.of(name)
    values = [(each, getattr(settings, each.name.replace("-", "_"))) for each in described(entry.settings_type)]
    if as_json:
        shown = {each.name: list(value) if each.is_list else value for each, value in values}
        echo_json({"name": name, "enabled": enabled, "does": entry.says, "settings": shown})
        return
    print_fields(
        {
            "name": name,
            "is": "on" if enabled else "off",
            "does": entry.says,
            "acts at": entry.when(),
            "in doubt": f"it {entry.doubt}",
        }
    )
    rows = [(each.name, _text(value), _text(each.default), each.says) for each, value in values]
    print_table(("setting", "is", "by default", "means"), rows, "this agent has no setting")


@agent.command("enable")
@click.argument("names", nargs=-1, type=_BUILT, metavar="[AGENT]...")
@click.option("--all", "everyone", is_flag=True, help="All that are built, which a hub without an edge needs.")
@state_option
def enable(names: tuple[str, ...], everyone: bool, state_dir: str | None) -> None:
    """Switch agents on; `postern agent list` names them.

    For example `postern agent enable recipient-filter`.
    """
    _switch(names or (tuple(BUILT) if everyone else ()), True, state_dir)


@agent.command("disable")
@click.argument("names", nargs=-1, type=_BUILT, metavar="[AGENT]...")
@click.option("--all", "everyone", is_flag=True, help="All that are built, DKIM signing among them.")
@state_option
def disable(names: tuple[str, ...], everyone: bool, state_dir: str | None) -> None:
    """Switch agents off; `postern agent list` names them.

    For example `postern agent disable sender-filter`.
    """
    _switch(names or (tuple(BUILT) if everyone else ()), False, state_dir)


@agent.command("set")
@click.argument("name", type=_BUILT, metavar="AGENT")
@click.argument("setting")
@click.argument("value")
@state_option
def set_(name: str, setting: str, value: str, state_dir: str | None) -> None:
    """Give a setting a value; the items of a list are separated by commas.

    For example `postern agent set recipient-filter tarpit 10`.
    """

    def work(state: AgentState) -> None:
        state.settings.setdefault(name, {})[setting] = from_words(BUILT[name].settings_type, setting, value)

    _change(state_dir, work)
    _told(state_dir, name, f"{setting} is {value}")


@agent.command("add")
@click.argument("name", type=_BUILT, metavar="AGENT")
@click.argument("setting")
@click.argument("items", nargs=-1, required=True)
@click.option(
    "--until", default="", metavar="DAY", help="Until this day only, such as 2027-01-31; in allow and block lists."
)
@state_option
def add(name: str, setting: str, items: tuple[str, ...], until: str, state_dir: str | None) -> None:
    """Put items into a list.

    For example `postern agent add connection-filter block 192.0.2.0/24`.
    """
    added = [f"{item} until {until}" if until else item for item in items]
    _list(name, setting, state_dir, lambda before: [*before, *added])
    _told(state_dir, name, f"added {counted(len(items), 'item')} to {setting}")


@agent.command("remove")
@click.argument("name", type=_BUILT, metavar="AGENT")
@click.argument("setting")
@click.argument("items", nargs=-1, required=True)
@state_option
def remove(name: str, setting: str, items: tuple[str, ...], state_dir: str | None) -> None:
    """Take items out of a list.

    For example `postern agent remove connection-filter block 192.0.2.0/24`.
    """

    def without(before: list[str]) -> list[str]:
        wanted = {item.strip().lower() for item in items}
        kept = [item for item in before if item not in wanted and item.partition(" until ")[0] not in wanted]
        if len(kept) == len(before):
            raise ValueError(f"none of these is in {setting}: `postern agent show {name}` lists what is")
        return kept

    _list(name, setting, state_dir, without)
    _told(state_dir, name, f"{setting} no longer has {', '.join(items)}")


@agent.command("stats")
@json_option
@state_option
def stats(as_json: bool, state_dir: str | None) -> None:
    """Count what the agents did, over all workers of this host; they write it every few seconds.

    For example `postern agent stats --json`.
    """
    folder, _ = _here(state_dir)
    counts = total(folder.root)
    if as_json:
        echo_json(
            [
                {
                    "name": name,
                    "seen": count.seen,
                    "rejected": count.rejected,
                    "tempfailed": count.tempfailed,
                    "errors": count.errors,
                    "seconds": round(count.seconds, 6),
                }
                for name, count in counts.items()
            ]
        )
        return
    rows = [
        (name, *map(str, (count.seen, count.rejected, count.tempfailed, count.errors)), _per(count.seconds, count.seen))
        for name, count in counts.items()
    ]
    print_table(("agent", "seen", "rejected", "tempfailed", "errors", "time each"), rows, "")


@agent.command("test")
@click.argument("message", type=Input())
@click.option(
    "--client", default="192.0.2.1", show_default=True, metavar="IP", help="The IP address that it came from."
)
@click.option("--helo", default="unknown.invalid", show_default=True, metavar="NAME", help="The name in EHLO.")
@click.option("--from", "sender", default=None, metavar="ADDRESS", help="MAIL FROM; by default the address in From.")
@click.option("--to", "recipients", multiple=True, metavar="ADDRESS", help="RCPT TO; may be repeated.")
@click.option("--offline", is_flag=True, help="Ask no DNS; checks that need it have no answer.")
@json_option
@state_option
def test(
    message: BinaryIO,
    client: str,
    helo: str,
    sender: str | None,
    recipients: tuple[str, ...],
    offline: bool,
    as_json: bool,
    state_dir: str | None,
) -> None:
    """Run a message file through all agents that are on, as if a stranger had sent it. Nothing is delivered or counted.

    For example `postern agent test mail.eml --to bob@example.test`.

    The exit status is 0 if the message would be taken, 1 if it would be refused.
    """
    from postern.cli.agent_test import tried

    folder, organization = _here(state_dir)
    on_edge, fqdn = _on_edge(organization), _server(organization).fqdn
    data = message.read()
    trial = tried(folder, organization, fqdn, on_edge, data, client, helo, sender, recipients, offline)
    if as_json:
        echo_json(trial.as_json())
    else:
        print_table(
            ("agent", "says", "why"), trial.steps, "no agent is on: `postern agent enable --all` switches them on"
        )
        for field in trial.added:
            for line in field.split("\r\n"):
                echo(line)
        echo(trial.outcome)
    if trial.refused:
        raise click.exceptions.Exit(FOUND_WRONG)


def _here(state_dir: str | None) -> tuple[StateFolder, Organization]:
    from postern.host import configuration, state

    folder = state.find(state_dir)
    return folder, configuration.load(folder)


def _server(organization: Organization) -> Server:
    """Returns the server that is called like this host; if there is none, the first server."""
    from postern.host import configuration

    try:
        return configuration.this_server(organization)
    except configuration.ConfigurationError:
        return organization.servers[0]


def _on_edge(organization: Organization) -> bool:
    return Role.EDGE in _server(organization).roles


def _switch(names: tuple[str, ...], on: bool, state_dir: str | None) -> None:
    if not names:
        raise click.UsageError("no agent is named: name agents, or say --all")
    _change(state_dir, lambda state: state.enabled.update(dict.fromkeys(names, on)))
    echo(f"{', '.join(names)}: {'on' if on else 'off'}; workers know it within seconds")


def _list(name: str, setting: str, state_dir: str | None, work: Callable[[list[str]], list[str]]) -> None:
    def change(state: AgentState) -> None:
        kind = BUILT[name].settings_type
        if setting not in [each.name for each in described(kind) if each.is_list]:
            lists = [each.name for each in described(kind) if each.is_list]
            raise ValueError(f'{name} has no list "{setting}": it has {", ".join(lists) or "none"}')
        before = list(getattr(state.of(name), setting.replace("-", "_")))
        checked = load(kind, {setting: work(before)})
        state.settings.setdefault(name, {})[setting] = list(getattr(checked, setting.replace("-", "_")))

    _change(state_dir, change)


def _change(state_dir: str | None, work: Callable[[AgentState], None]) -> None:
    folder, _ = _here(state_dir)
    try:
        AgentFile(folder.root).change(work)
    except ValueError as error:
        raise Failure(str(error), os.EX_DATAERR) from None


def _told(state_dir: str | None, name: str, changed: str) -> None:
    """Prints what was changed of an agent, and whether that has any effect."""
    folder, organization = _here(state_dir)
    if AgentFile(folder.root).read().is_enabled(name, _on_edge(organization)):
        echo(f"{name}: {changed}; workers know it within seconds")
    else:
        echo(f"{name}: {changed}; the agent is off: `postern agent enable {name}` switches it on")


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _per(seconds: float, count: int) -> str:
    each = seconds / count if count else 0.0
    return f"{each * 1e6:.0f} us" if each < 1e-3 else f"{each * 1e3:.1f} ms" if each < 1 else f"{each:.1f} s"
