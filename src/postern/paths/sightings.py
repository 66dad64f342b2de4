"""Matches the connections that hosts observed with the declared flows, and so finds the arrows of the picture that are in use.

Pure. A host notes the path and the peer's address, and not the end that called: between two hosts that may both call on one path,
both arrows count as used.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from postern.paths import places
from postern.paths.flows import Flow, Node


@dataclass(frozen=True, slots=True)
class Sighting:
    """An observation of the server `seer`. `peer` is an address, a name, or "local"; `how` names the mechanism and the cipher."""

    seer: str
    path: str
    peer: str
    count: int
    how: str


def matched(
    arrows: Sequence[Flow], nodes: Iterable[Node], sightings: Iterable[Sighting]
) -> tuple[dict[Flow, list[Sighting]], list[Sighting]]:
    """The sightings of each arrow, and those that belong to none."""
    by_name = {node.name: node for node in nodes}
    used: dict[Flow, list[Sighting]] = {}
    strays = []
    for sighting in sightings:
        hits = _arrows(arrows, by_name, sighting)
        for flow in hits:
            used.setdefault(flow, []).append(sighting)
        if not hits and not _of_verify(by_name, sighting):
            strays.append(sighting)
    return used, strays


def _of_verify(nodes: dict[str, Node], sighting: Sighting) -> bool:
    """Whether a server verified its own door for clients or strangers: that has no arrow, and is nothing strange."""
    own = nodes.get(sighting.seer)
    return own is not None and _is_home(own, sighting.peer)


def _arrows(arrows: Sequence[Flow], nodes: dict[str, Node], sighting: Sighting) -> list[Flow]:
    seer, peer = sighting.seer, sighting.peer
    mine = [flow for flow in arrows if flow.row.id == sighting.path and seer in (flow.caller, flow.callee)]
    own = nodes.get(seer)
    if own is not None and _is_home(own, peer):
        at_home = [flow for flow in mine if flow.caller == flow.callee]
        if at_home:
            return at_home
    others = [(flow, nodes[flow.callee if flow.caller == seer else flow.caller]) for flow in mine]
    to_peer = [flow for flow, other in others if other.name != seer and _is(other, peer)]
    return to_peer or [flow for flow, other in others if not other.named]


def _is_home(own: Node, peer: str) -> bool:
    if peer == "local" or _is(own, peer):
        return True
    try:
        return ipaddress.ip_address(places.plain(peer)).is_loopback
    except ValueError:
        return False


def _is(node: Node, peer: str) -> bool:
    """Whether the noted peer is this host, by address or by name."""
    try:
        return places.within(places.plain(peer), [places.plain(address) for address in node.addresses])
    except ValueError:
        return peer.lower().rstrip(".") in (node.name.lower(), node.fqdn.lower())
