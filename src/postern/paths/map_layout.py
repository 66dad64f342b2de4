"""Arranges the map: each host is a column, columns stand in zones from the outside to the clients, and below their heads each
path has a lane for its arrows.

Pure numbers, in SVG's user units (y grows downwards); `map` draws. Because every path has its own lane, no label and no arrow
ever covers another, however many hosts there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postern.model.organization import Organization
from postern.paths.flows import Flow, Node, Zone
from postern.paths.row import Path, Table

MARGIN = 28.0
COLUMN = 138.0
GAP = 8.0
ZONE_PADDING = 10.0
ZONE_GAP = 18.0
TITLE = 78.0
"""Height of the title above the zones."""
ZONE_HEAD = 26.0
LINE = 15.0
"""Height of a line of text in a host's head."""
SECTION = 30.0
LABEL = 21.0
LANE = 12.0
LOOP = 15.0
AFTER = 7.0
LETTER = 6.7
"""Width of a letter of a path's label."""
ASIDE = 18.0
"""Space between the last zone and the text beside the lanes."""

_PARTS = ("edge", "hub", "mailbox", "client-access", "unified-messaging", "active-directory")
"""The order of hosts in a site."""


@dataclass(frozen=True, slots=True)
class Column:
    node: Node
    left: float

    @property
    def middle(self) -> float:
        return self.left + COLUMN / 2


@dataclass(frozen=True, slots=True)
class Area:
    """A zone, or one site of the zone INSIDE."""

    title: str
    zone: Zone
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Stroke:
    """The arrows of one path from one caller, at one height. In a loop the only callee is the caller itself."""

    caller: str
    flows: tuple[Flow, ...]
    y: float

    @property
    def loop(self) -> bool:
        return all(flow.caller == flow.callee for flow in self.flows)


@dataclass(frozen=True, slots=True)
class Lane:
    """The lane of one path: its strokes, and its label, of which `x` is the middle and `y` the baseline."""

    row: Path
    x: float
    y: float
    top: float
    height: float
    strokes: tuple[Stroke, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    areas: tuple[Area, ...]
    columns: dict[str, Column]
    lanes: tuple[Lane, ...]
    sections: tuple[tuple[Table, float], ...]
    """The height at which each table of the paths begins."""
    head: float
    """Height of the hosts' heads."""
    right: float
    bottom: float


def layout(organization: Organization, nodes: Sequence[Node], arrows: Sequence[Flow]) -> Layout:
    """The layout of the whole map. `nodes` must have every name that `arrows` use."""
    areas, columns = _columns(organization, nodes)
    right = areas[-1].left + areas[-1].width
    head = ZONE_HEAD + 12 + LINE * max(map(head_lines, nodes))
    lanes: list[Lane] = []
    sections: list[tuple[Table, float]] = []
    y = TITLE + head + 14
    for row in dict.fromkeys(flow.row for flow in arrows):
        if not sections or sections[-1][0] is not row.table:
            sections.append((row.table, y))
            y += SECTION
        lane = _lane(row, [flow for flow in arrows if flow.row is row], columns, y, right)
        lanes.append(lane)
        y += lane.height
    return Layout(tuple(areas), columns, tuple(lanes), tuple(sections), head, right, y + 10)


def head_lines(node: Node) -> int:
    """The number of lines in a host's head: name, name in DNS, parts, addresses."""
    return 1 + bool(node.fqdn) + len(node.parts) + min(len(node.addresses), 2)


def _columns(organization: Organization, nodes: Sequence[Node]) -> tuple[list[Area], dict[str, Column]]:
    sites = list(dict.fromkeys(node.site for node in nodes if node.zone is Zone.INSIDE and node.site)) or [""]
    many = len(sites) > 1
    areas: list[Area] = []
    columns: dict[str, Column] = {}
    x = MARGIN
    for zone in Zone:
        for site in sites if zone is Zone.INSIDE else [""]:
            # A controller that only DNS knows belongs to no site: it stands with the first.
            here = [n for n in nodes if n.zone is zone and (n.site == site or (not n.site and site == sites[0]))]
            if not here:
                continue
            title = site if zone is Zone.INSIDE and many else zone.value
            left, x = x, x + ZONE_PADDING
            for node in sorted(here, key=_rank):
                columns[node.name] = Column(node, x)
                x += COLUMN + GAP
            x += ZONE_PADDING - GAP
            areas.append(Area(title, zone, left, x - left))
            x += ZONE_GAP
    return areas, columns


def _rank(node: Node) -> tuple[int, str]:
    return min((_PARTS.index(part) for part in node.parts if part in _PARTS), default=len(_PARTS)), node.name


def _lane(row: Path, arrows: Sequence[Flow], columns: dict[str, Column], top: float, right: float) -> Lane:
    loops = [flow for flow in arrows if flow.caller == flow.callee]
    strokes: list[Stroke] = []
    spans: list[tuple[float, float]] = []
    taken: list[list[tuple[float, float]]] = []
    y = top + LABEL
    for caller in sorted({flow.caller for flow in arrows if flow not in loops}, key=lambda name: columns[name].left):
        mine = tuple(flow for flow in arrows if flow.caller == caller and flow not in loops)
        middles = [columns[caller].middle, *(columns[flow.callee].middle for flow in mine)]
        span = (min(middles), max(middles))
        height = next((index for index, others in enumerate(taken) if _free(others, span)), len(taken))
        if height == len(taken):
            taken.append([])
        taken[height].append(span)
        spans.append(span)
        strokes.append(Stroke(caller, mine, y + LANE * height + LANE / 2))
    y += LANE * len(taken)
    if loops:
        strokes += [Stroke(flow.caller, (flow,), y + LOOP / 2) for flow in loops]
        spans += [(columns[flow.caller].middle,) * 2 for flow in loops]
        y += LOOP
    # The label stands above the first stroke, and within the zones.
    half = len(row.id) * LETTER / 2 + 8
    x = min(max(sum(spans[0]) / 2, MARGIN + half), right - half)
    return Lane(row, x, top + LABEL - 6, top, y + AFTER - top, tuple(strokes))


def _free(taken: Sequence[tuple[float, float]], span: tuple[float, float]) -> bool:
    return all(span[1] < left or right < span[0] for left, right in taken)
