"""Which arrows of the picture were really used: what hosts observed, laid upon the flows that are declared.

Pure. A host notes the path and the peer's address, not who began; between two hosts that may both call on one path, both arrows
count as used.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from postern.paths import places
from postern.paths.flows import Flow, Node


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the server `seer` observed: `peer` an address, a name, or "local"; `how` in words: mechanism and cipher."""

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
    found: dict[Flow, list[Sighting]] = {}
    strays = []
    for one in sightings:
        hits = _arrows(arrows, by_name, one)
        for flow in hits:
            found.setdefault(flow, []).append(one)
        if not hits and not _of_verify(by_name, one):
            strays.append(one)
    return found, strays


def _of_verify(nodes: dict[str, Node], one: Sighting) -> bool:
    """A server that dials its own door for clients or strangers is verifying it: no arrow, and nothing strange."""
    own = nodes.get(one.seer)
    return own is not None and _is_home(own, one.peer)


def _arrows(arrows: Sequence[Flow], nodes: dict[str, Node], one: Sighting) -> list[Flow]:
    mine = [flow for flow in arrows if flow.row.id == one.path and one.seer in (flow.caller, flow.callee)]
    own = nodes.get(one.seer)
    if own is not None and _is_home(own, one.peer):
        at_home = [flow for flow in mine if flow.caller == flow.callee]
        if at_home:
            return at_home
    others = [(flow, nodes[flow.callee if flow.caller == one.seer else flow.caller]) for flow in mine]
    known = [flow for flow, other in others if other.name != one.seer and _is(other, one.peer)]
    return known or [flow for flow, other in others if not other.named]


def _is_home(own: Node, peer: str) -> bool:
    if peer == "local" or _is(own, peer):
        return True
    try:
        return ipaddress.ip_address(places.plain(peer)).is_loopback
    except ValueError:
        return False


def _is(node: Node, peer: str) -> bool:
    """Whether a peer, as it was noted, is this host: by address or by name."""
    try:
        return places.within(places.plain(peer), [places.plain(address) for address in node.addresses])
    except ValueError:
        return peer.lower().rstrip(".") in (node.name.lower(), node.fqdn.lower())
