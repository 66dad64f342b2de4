"""Draws the organization for `postern paths map`, as an SVG picture: hosts in their zones, an arrow for each path between two.

Pure: text in, text out, the same for the same input. Colour and dashes tell the encryption that a path asks for, thick lines the
traffic that was observed. Every host and arrow has a <title>, which browsers show and screen readers read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from postern.model.organization import Organization
from postern.model.security import Encryption, Mechanism
from postern.model.words import counted
from postern.paths import map_layout as at
from postern.paths.deployment import within_hosts
from postern.paths.flows import Flow, Node, Zone, flows, nodes
from postern.paths.map_layout import Area, Column, Lane, Layout, Stroke, layout
from postern.paths.places import ROLES
from postern.paths.row import End, Party, Path, Port, Table, Wire
from postern.paths.sightings import Sighting, matched
from postern.paths.table import settle

_INK, _MUTED, _FAINT = "#1f2933", "#5f6c7b", "#d5dbe1"
_COLOURS = {Encryption.REQUIRED: "#16794a", Encryption.OFFERED: "#c26a00", Encryption.NEVER: "#c0342b"}
_DASHES = {Encryption.REQUIRED: "", Encryption.OFFERED: "9 4", Encryption.NEVER: "2.5 3.5"}
_ASKS = {
    Encryption.REQUIRED: "encryption required",
    Encryption.OFFERED: "encryption offered",
    Encryption.NEVER: "never encrypted",
}
_TINTS = {
    Zone.INTERNET: ("#f7efe6", "#8a6d3b"),
    Zone.PERIMETER: ("#fdf4d7", "#8a6a00"),
    Zone.INSIDE: ("#e8f1fa", "#2b5f94"),
    Zone.CLIENTS: ("#eaf5ea", "#38703c"),
    Zone.AROUND: ("#f1f0f6", "#5b5580"),
}
_SECTIONS = {
    Table.TRANSPORT: "Transport",
    Table.MAILBOX: "Mailbox",
    Table.CLIENT_ACCESS: "Client access",
    Table.UNIFIED_MESSAGING: "Unified messaging",
    Table.OURS: "Beyond the reference",
}
_SANS = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"
_MONO = "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', monospace"
_STYLE = f"""\
text {{ font-family: {_SANS}; fill: {_INK}; }}
.id, .address {{ font-family: {_MONO}; }}
.muted, .address {{ fill: {_MUTED}; }}
.halo {{ stroke: #ffffff; stroke-width: 4; stroke-linejoin: round; paint-order: stroke; }}
.thin {{ stroke-width: 1.5; fill: none; }}
.thick {{ stroke-width: 4.5; fill: none; }}
"""
_LETTER = 6.1
"""Width of a letter of the text beside the lanes."""
_LEAST = 940.0
"""Width that the legend needs."""
_MAX_STRAYS = 8


def draw(organization: Organization, sightings: Iterable[Sighting] | None = None) -> str:
    """The whole picture. `sightings` None: observations were not asked for, and the picture does not mention them."""
    arrows = flows(organization, settle(organization.profile).values())
    hosts = nodes(organization, arrows)
    plan = layout(organization, hosts, arrows)
    seen, strays = matched(arrows, hosts, sightings or ())
    beside = max((len(_beside(organization, lane)) for lane in plan.lanes), default=0)
    width = max(plan.right + at.ASIDE + beside * _LETTER, _LEAST) + at.MARGIN
    height = plan.bottom + 64 + 18 * min(len(strays), _MAX_STRAYS + 1)
    count = len({flow.row.id for flow in arrows})
    used = len({flow.row.id for flow in seen})
    between = f"{counted(count, 'data path')} between {counted(len(hosts), 'host')}"
    about = f"{between}, as the profile {organization.profile} settles them"
    if sightings is not None:
        about += f"; {used} of them observed in use"
    title = f"The data paths of {organization.name}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="graphics-document document" aria-labelledby="title about">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="about">{escape(about)}.</desc>',
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        _text(at.MARGIN, 38, title, 'font-size="22" font-weight="600"'),
        _text(at.MARGIN, 59, about, 'font-size="13" class="muted"'),
        *(_area(area, plan) for area in plan.areas),
        *(_column(column, plan) for column in plan.columns.values()),
        *(_section(table, y, plan, width) for table, y in plan.sections),
        *(_stripe(lane, width) for lane in plan.lanes[::2]),
        *(line for lane in plan.lanes for line in _lane(organization, lane, plan, seen, sightings is not None)),
        *_legend(plan, sightings is not None, strays),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


Seen = dict[Flow, list[Sighting]]

# Hosts


def _area(area: Area, plan: Layout) -> str:
    tint, ink = _TINTS[area.zone]
    return (
        f'<rect x="{area.left:g}" y="{at.TITLE:g}" width="{area.width:g}" height="{plan.bottom - at.TITLE:g}" rx="10" '
        f'fill="{tint}"/>'
        + _text(
            area.left + at.ZONE_PADDING + 2,
            at.TITLE + 18,
            area.title,
            f'font-size="13" font-weight="600" style="fill: {ink}"',
        )
    )


def _column(column: Column, plan: Layout) -> str:
    node = column.node
    top = at.TITLE + at.ZONE_HEAD
    ink = _TINTS[node.zone][1]
    dash = "" if node.named else ' stroke-dasharray="4 4"'
    lines = [
        f'<g role="graphics-symbol img"><title>{escape(_of_host(node))}</title>',
        f'<rect x="{column.left:g}" y="{top:g}" width="{at.COLUMN:g}" height="{plan.bottom - top - 8:g}" rx="7" '
        f'fill="#ffffff" fill-opacity="0.72" stroke="{ink}" stroke-opacity="0.45"{dash}/>',
        f'<line x1="{column.middle:g}" y1="{at.TITLE + plan.head:g}" x2="{column.middle:g}" y2="{plan.bottom - 14:g}" '
        f'stroke="{ink}" stroke-opacity="0.3"/>',
    ]
    y = top + 20
    weight = "600" if node.named else "400"
    lines.append(_middle(column, y, node.name, f'font-size="15" font-weight="{weight}"'))
    if node.fqdn:
        y += at.LINE
        lines.append(_middle(column, y, _short(node.fqdn, 22), 'font-size="10.5" class="muted"'))
    for part in node.parts:
        y += at.LINE
        lines.append(_middle(column, y, part.replace("-", " "), f'font-size="12" style="fill: {ink}"'))
    for index, address in enumerate(node.addresses[:2]):
        y += at.LINE
        more = len(node.addresses) - 2 if index == 1 else 0
        text = _short(address, 17) + f" +{more}" if more > 0 else _short(address, 21)
        lines.append(_middle(column, y, text, 'font-size="10.5" class="address"'))
    return "\n".join([*lines, "</g>"])


def _of_host(node: Node) -> str:
    where = f"{node.zone.value}{f', {node.site}' if node.site else ''}"
    if not node.named:
        return f"{node.name}: whoever it is; the organization's file names nobody ({where})"
    names = " ".join(filter(None, (node.fqdn, *node.addresses)))
    return f"{node.name} ({names}): {', '.join(node.parts) or 'no role of ours'}; {where}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


# Paths


def _section(table: Table, y: float, plan: Layout, width: float) -> str:
    line = f'<path d="M{at.MARGIN:g} {y + 6:g}H{width - at.MARGIN:g}" stroke="{_FAINT}"/>'
    return line + _text(plan.right + at.ASIDE, y + 24, _SECTIONS[table], 'font-size="13" font-weight="600"')


def _stripe(lane: Lane, width: float) -> str:
    """Leads the eye from the arrows to the words beside them."""
    return (
        f'<rect x="{at.MARGIN:g}" y="{lane.top + 3:g}" width="{width - 2 * at.MARGIN:g}" height="{lane.height:g}" '
        f'rx="4" fill="{_INK}" fill-opacity="0.035"/>'
    )


def _lane(organization: Organization, lane: Lane, plan: Layout, seen: Seen, asked: bool) -> Iterator[str]:
    row = lane.row
    used = any(flow in seen for stroke in lane.strokes for flow in stroke.flows)
    for stroke in lane.strokes:
        yield from (_loops if stroke.loop else _arrows)(row, stroke, plan, seen, asked)
    beside = _beside(organization, lane)
    title = f"{row.id}: {row.name}. {beside}; {_ASKS[row.encryption]}"
    yield f'<g role="graphics-symbol img"><title>{escape(title)}</title>'
    weight = ' font-weight="600"' if used else ""
    style = f'style="fill: {_COLOURS[row.encryption]}"'
    yield _text(lane.x, lane.y, row.id, f'font-size="11" class="id halo" text-anchor="middle"{weight} {style}')
    yield _text(plan.right + at.ASIDE, lane.y, beside, 'font-size="11" class="muted"') + "</g>"


def _arrows(row: Path, stroke: Stroke, plan: Layout, seen: Seen, asked: bool) -> Iterator[str]:
    """Draws to the left and to the right a line to the farthest callee, and a thick one to the farthest that was observed."""
    colour = _COLOURS[row.encryption]
    start = plan.columns[stroke.caller].middle
    drawn: set[tuple[bool, bool]] = set()
    # Thick lies on thin, and the longest of a kind covers the others.
    for flow in sorted(stroke.flows, key=lambda flow: (flow in seen, -abs(plan.columns[flow.callee].middle - start))):
        end, thick = plan.columns[flow.callee].middle, flow in seen
        size = 8.0 if thick else 5.5
        back = end - size * 1.2 if end > start else end + size * 1.2
        yield from _begun(row, flow, seen, asked)
        if (end > start, thick) not in drawn:
            drawn.add((end > start, thick))
            yield _line(f"M{start:g} {stroke.y:g}H{back:g}", row, thick)
        head = f"M{end:g} {stroke.y:g}L{back:g} {stroke.y - size * 0.62:g}V{stroke.y + size * 0.62:g}Z"
        yield f'<path d="{head}" fill="{colour}"/></g>'
    yield f'<circle cx="{start:g}" cy="{stroke.y:g}" r="3.4" fill="#ffffff" stroke="{colour}" stroke-width="1.8"/>'


def _loops(row: Path, stroke: Stroke, plan: Layout, seen: Seen, asked: bool) -> Iterator[str]:
    colour = _COLOURS[row.encryption]
    x, y = plan.columns[stroke.caller].middle, stroke.y
    for flow in stroke.flows:
        size = 7.0 if flow in seen else 5.0
        yield from _begun(row, flow, seen, asked)
        yield _line(f"M{x:g} {y - 5:g}h20a5 5 0 0 1 0 10h{size * 1.2 - 20:g}", row, flow in seen)
        yield (
            f'<path d="M{x:g} {y + 5:g}l{size * 1.2:g} {-size * 0.62:g}v{size * 1.24:g}Z" fill="{colour}"/>'
            f'<circle cx="{x:g}" cy="{y - 5:g}" r="2.8" fill="#ffffff" stroke="{colour}" stroke-width="1.6"/></g>'
        )


def _begun(row: Path, flow: Flow, seen: Seen, asked: bool) -> Iterator[str]:
    way = f"{flow.caller} to {flow.callee}" if flow.caller != flow.callee else f"within {flow.caller}"
    title = f"{row.id}: {way}, {_ASKS[row.encryption]}"
    pale = ' opacity="0.5"' if asked and flow not in seen else ""
    if flow in seen:
        count = sum(sighting.count for sighting in seen[flow])
        how = "; ".join(sorted({sighting.how for sighting in seen[flow]}))
        title += f". Observed {counted(count, 'time')}: {how}"
    elif asked:
        title += ". Declared, not observed"
    yield f'<g role="graphics-symbol img"{pale}><title>{escape(title)}</title>'


def _line(shape: str, row: Path, thick: bool) -> str:
    dash = _DASHES[row.encryption]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path class="{"thick" if thick else "thin"}" d="{shape}" stroke="{_COLOURS[row.encryption]}"{dashed}/>'


def _beside(organization: Organization, lane: Lane) -> str:
    """The text beside a lane: ports, first mechanism, seal ("25 587 465 · Basic · TLS"). A row on unix sockets only says so."""
    row = lane.row
    sockets = any(port.wire is Wire.UNIX for port in row.ports) and not any(port.end is End.LOCAL for port in row.ports)
    named = row.callee in (Party.DATABASE, Party.PRIVATE_DIRECTORY) and not within_hosts(organization, row)
    if sockets and not named and all(stroke.loop for stroke in lane.strokes):
        proof = Mechanism.PEER if Mechanism.PEER in row.supported_auth else row.default_auth[0]
        return f"unix socket · {proof} · never leaves the host"
    numbers = dict.fromkeys(_number(organization, row, port) for port in row.ports)
    return " · ".join((" ".join(numbers), row.default_auth[0], row.seal or "no seal"))


def _number(organization: Organization, row: Path, port: Port) -> str:
    if port.wire is Wire.UNIX:
        return "unix socket"
    if port.number is None:
        return "dynamic"
    return str(organization.port(port.number) if row.callee in ROLES else port.number)


# Legend


def _legend(plan: Layout, asked: bool, strays: Sequence[Sighting]) -> Iterator[str]:
    y = plan.bottom + 26
    x = at.MARGIN
    for encryption, text in _ASKS.items():
        dash = f' stroke-dasharray="{_DASHES[encryption]}"' if _DASHES[encryption] else ""
        yield f'<path class="thin" d="M{x:g} {y - 4:g}h38" stroke="{_COLOURS[encryption]}"{dash} stroke-width="2"/>'
        yield _text(x + 46, y, text, 'font-size="12"')
        x += 46 + 7 * len(text) + 22
    if asked:
        yield f'<path class="thick" d="M{x:g} {y - 4:g}h38" stroke="{_INK}"/>'
        yield _text(x + 46, y, "observed", 'font-size="12"')
        yield f'<path class="thin" d="M{x + 124:g} {y - 4:g}h38" stroke="{_INK}" opacity="0.5"/>'
        yield _text(x + 170, y, "declared only", 'font-size="12"')
    y += 20
    yield _text(
        at.MARGIN,
        y,
        "A ring is who calls, an arrowhead who answers. Beside each path: its ports, the first mechanism, the seal. "
        "Left out: SSH, time, DHCP and neighbour discovery.",
        'font-size="12" class="muted"',
    )
    for stray in strays[:_MAX_STRAYS]:
        y += 18
        peer = f"seen by {stray.seer}, peer {stray.peer} ({stray.count}, {stray.how})"
        text = f"Observed, and no arrow of this map: {stray.path}, {peer}"
        yield _text(at.MARGIN, y, text, f'font-size="12" style="fill: {_COLOURS[Encryption.NEVER]}"')
    if len(strays) > _MAX_STRAYS:
        yield _text(at.MARGIN, y + 18, f"and {len(strays) - _MAX_STRAYS} more", 'font-size="12"')


def _middle(column: Column, y: float, text: str, attributes: str) -> str:
    return _text(column.middle, y, text, f'text-anchor="middle" {attributes}')


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" {attributes}>{escape(text)}</text>'
