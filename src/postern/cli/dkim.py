"""`postern domain dkim`: a domain's signing keys, and the DNS records that publish them.

Reads and writes `services.dkim_keys`; prints records, never keys.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from postern.cli.directory import json_option, print_table
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json
from postern.model.domains import a_labels
from postern.services.dkim_keys import DkimKeyError, KeyRing


@click.command("dkim")
@click.argument("name")
@click.option("--selector", default="", help="The new key's selector; by default the month.")
@click.option(
    "--ed25519", is_flag=True, help="An Ed25519 key beside the RSA one (RFC 8463); not every reader knows it."
)
@click.option("--rotate", is_flag=True, help="Make a new key. The former one signs until --use names the new one.")
@click.option("--use", "used", multiple=True, metavar="SELECTOR", help="Sign with this key (and others so named).")
@click.option("--remove", "removed", default="", metavar="SELECTOR", help="Delete a key that signs no more.")
@json_option
@state_option
def dkim(
    name: str,
    selector: str,
    ed25519: bool,
    rotate: bool,
    used: tuple[str, ...],
    removed: str,
    as_json: bool,
    state_dir: str | None,
) -> None:
    """DKIM keys of a domain, made on this host (where its mail leaves), and the TXT records to publish.

    The first key signs at once. To change it: --rotate, publish the record that is printed, wait until the old answer has gone
    from caches, then --use the new selector, and --remove the old one when mail signed by it has arrived.
    """
    ring, domain = _ring(state_dir), a_labels(name).rstrip(".")
    try:
        if removed:
            ring.remove(domain, removed)
        if not used and not removed and (rotate or ed25519 or not ring.selectors(domain)):
            _make(ring, domain, selector, ed25519, sign=not rotate)
        if used:
            ring.use(domain, list(used))
        keys = [ring.load(domain, one) for one in ring.selectors(domain)]
    except DkimKeyError as error:
        raise click.ClickException(str(error)) from None
    signing = ring.in_use(domain)
    if as_json:
        echo_json(
            [
                {"selector": key.selector, "signs": key.selector in signing, "name": key.name, "record": key.record}
                for key in keys
            ]
        )
        return
    print_table(("selector", "signs"), [(key.selector, "yes" if key.selector in signing else "no") for key in keys], "")
    for key in keys:
        echo(key.zone_line)


def _make(ring: KeyRing, domain: str, selector: str, ed25519: bool, sign: bool) -> None:
    if not selector:
        month = time.strftime("%Y%m") + ("e" if ed25519 else "")
        taken = ring.selectors(domain)
        selector = next(name for name in (month, *(f"{month}-{n}" for n in range(2, 100))) if name not in taken)
    ring.make(domain, selector, ed25519)
    if sign:
        ring.use(domain, [*ring.in_use(domain), selector])


def _ring(state_dir: str | None) -> KeyRing:
    from postern.host import configuration, state

    folder = state.find(state_dir)
    configuration.load(folder)  # says it if there is no organization here
    return KeyRing(Path(folder.secrets))
