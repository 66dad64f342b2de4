"""`postern paths map` draws the organization as a picture, declared and observed.

It reads the organization's file and the observations of state folders; `paths.map` draws.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import click

from postern.cli.failures import Failure, failure
from postern.cli.files import Output, OutputFile
from postern.cli.state_folder import named, named_folder
from postern.cli.terminal import echo_page
from postern.model.organization import Organization, StateFolder
from postern.paths.sightings import Sighting


@click.command("map", short_help="Draw the organization as a picture (SVG).")
@click.option(
    "--output", "-o", type=Output(), metavar="FILE.svg", help="Write it to this file; by default to standard output."
)
@click.option(
    "--state",
    "state_dirs",
    callback=named,
    metavar="[NAME=]DIR",
    multiple=True,
    help="A state folder whose observations count; may be repeated, with NAME the server that it belongs to. "
    "The organization of the first one is drawn.",
)
@click.option("--declared", is_flag=True, help="Draw only what is declared, whatever was observed.")
def paths_map(output: OutputFile | None, state_dirs: tuple[str, ...], declared: bool) -> None:
    """Draw the organization as a picture (SVG): hosts, and an arrow for each path, coloured by encryption, thick where used.

    For example `postern paths map --output map.svg`.
    """
    from postern.paths.map import draw

    folders = [named_folder(text) for text in state_dirs] or [("", "")]
    organization = _organization(folders[0][1])
    sightings = None if declared else [seen for name, folder in folders for seen in _sightings(name, folder)]
    picture = draw(organization, sightings)
    if output is None:
        echo_page(picture)
        return
    output.write(picture.encode())


def _folder(state_dir: str) -> StateFolder:
    from postern.host.state import find

    return find(state_dir or None)


def _organization(state_dir: str) -> Organization:
    from postern.host.configuration import ConfigurationError, load

    try:
        return load(_folder(state_dir))
    except ConfigurationError as error:
        raise failure(error) from None


def _sightings(name: str, state_dir: str) -> Iterator[Sighting]:
    from postern.telemetry.observed import KEPT, read

    seer = _seer(name, state_dir)
    for seen in read(_folder(state_dir).observed, time.time() - KEPT):
        how = ", ".join(filter(None, (seen.mechanism, seen.seal if seen.seal != "none" else "clear text", seen.cipher)))
        yield Sighting(seer, seen.path, seen.peer, seen.count, how)


def _seer(name: str, state_dir: str) -> str:
    """Returns the server whose view is drawn: the server that was named, the only one, the one that the path names, or the one
    called like this host."""
    from postern.host.configuration import ConfigurationError, this_server

    organization, folder = _organization(state_dir), _folder(state_dir)
    known = {server.name for server in organization.servers}
    in_path = next((part for part in reversed(folder.root.parts) if part in known), None)
    try:
        return this_server(organization, name or in_path).name
    except ConfigurationError:
        names = ", ".join(sorted(known))
        raise Failure(
            f"no server is named for the observations in {folder.root}: write --state NAME={folder.root}, NAME one of {names}",
            os.EX_CONFIG,
        ) from None
