"""`postern domain dkim` manages a domain's signing keys, and prints the DNS records that publish them.

It reads and writes `services.agents.dkim_keys`; it prints no private keys.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from postern.cli.called import called
from postern.cli.directory import in_directory, not_accepted
from postern.cli.failures import failure
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_table
from postern.model.domains import a_labels
from postern.services.agents.dkim_keys import DkimKeyError, KeyRing

if TYPE_CHECKING:
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder


@click.command("dkim")
@click.argument("name")
@click.option("--selector", default="", metavar="NAME", help="The selector of the new key; by default the month.")
@click.option(
    "--ed25519", is_flag=True, help="Make an Ed25519 key beside the RSA key (RFC 8463); not every reader knows it."
)
@click.option("--rotate", is_flag=True, help="Make another key. The former one signs until --use names the new one.")
@click.option("--use", "used", multiple=True, metavar="SELECTOR", help="Sign with this key; may be repeated.")
@click.option("--stop", is_flag=True, help="Sign no more mail of this domain; its keys stay.")
@click.option("--foreign", is_flag=True, help="Allow a domain that this organization accepts no mail for.")
@click.option("--remove", "removed", default="", metavar="SELECTOR", help="Delete a key that no longer signs.")
@json_option
@state_option
def dkim(
    name: str,
    selector: str,
    ed25519: bool,
    rotate: bool,
    used: tuple[str, ...],
    stop: bool,
    foreign: bool,
    removed: str,
    as_json: bool,
    state_dir: str | None,
) -> None:
    """Make and show the DKIM keys of a domain, on the host where its mail leaves, and the TXT records to publish.

    A key signs nothing until --use names it: publish the record first. To change it: --rotate, publish the record that is
    printed, wait until the old answer has gone from caches, then --use the new selector, and --remove the old one when mail
    signed by it has arrived. To end it: --stop, then --remove.

    For example `postern domain dkim example.test`.
    """
    if stop and used:
        raise click.UsageError("--stop and --use exclude each other: name one of them")
    ring, domain = key_ring(state_dir), a_labels(name).rstrip(".")
    try:
        if stop:
            ring.use(domain, [])
        if removed:
            ring.remove(domain, removed)
        if not used and not removed and not stop and (rotate or ed25519 or not ring.selectors(domain)):
            if not foreign:
                check_accepted(state_dir, domain, "; --foreign signs for it all the same")
            _make(ring, domain, selector, ed25519)
        if used:
            ring.use(domain, list(used))
        keys = [ring.load(domain, name) for name in ring.selectors(domain)]
    except DkimKeyError as error:
        raise failure(error) from None
    signing = ring.in_use(domain)
    if as_json:
        echo_json(
            [
                {"selector": key.selector, "signs": key.selector in signing, "name": key.name, "record": key.record}
                for key in keys
            ]
        )
        return
    rows = [(key.selector, "yes" if key.selector in signing else "no") for key in keys]
    print_table(("selector", "signs"), rows, f"no key of {domain}")
    for key in keys:
        echo(key.zone_line)
    if keys and not signing:
        echo(
            f"nothing is signed yet: publish the record, then `{called()} domain dkim {domain} --use {keys[-1].selector}`"
        )


def _make(ring: KeyRing, domain: str, selector: str, ed25519: bool) -> None:
    if not selector:
        month = time.strftime("%Y%m") + ("e" if ed25519 else "")
        taken = ring.selectors(domain)
        selector = next(name for name in (month, *(f"{month}-{n}" for n in range(2, 100))) if name not in taken)
    ring.make(domain, selector, ed25519)


def check_accepted(state_dir: str | None, domain: str, otherwise: str = "") -> None:
    """Raises Failure for a domain that is neither in `postern.toml` nor in the directory, which an edge cannot ask."""

    async def names(directory: OpenDirectory, organization: Organization, state: StateFolder) -> list[str]:
        return [each.name.lower() for each in await directory.read.accepted_domains()]

    from postern.host import configuration, state

    accepted = [each.name.lower() for each in configuration.load(state.find(state_dir)).domains]
    if domain not in accepted:
        with contextlib.suppress(click.ClickException):
            accepted += in_directory(state_dir, names)
    if domain not in accepted:
        raise not_accepted(domain, accepted, otherwise)


def key_ring(state_dir: str | None) -> KeyRing:
    """The keys of this host."""
    from postern.host import configuration, state

    folder = state.find(state_dir)
    configuration.load(folder)  # raises ConfigurationError if there is no organization
    return KeyRing(Path(folder.secrets))
