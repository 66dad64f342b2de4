"""The map: well-formed, the same every time, nothing upon anything else, and all of it told in words.

covers: map_layout
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from postern.model.organization import Organization, Profile, Role, Server
from postern.model.security import Encryption
from postern.paths import map_layout
from postern.paths.flows import flows, nodes
from postern.paths.map import _COLOURS, _MAX_STRAYS, draw
from postern.paths.map_layout import COLUMN, LETTER, MARGIN, Layout, layout
from postern.paths.places import standings
from postern.paths.sightings import Sighting
from postern.paths.table import settle
from tests.paths.organizations import CORP, CORP_OF_THE_EDGE, NETWORKS, ONE, OUTSIDE, THREE

MANY = replace(
    CORP,
    servers=(
        *CORP.servers,
        *(
            Server(f"mbx{n}", f"mbx{n}.corp.test", frozenset({Role.MAILBOX}), (f"10.77.1.{n}",), f"Site {n % 4}")
            for n in range(50, 80)
        ),
    ),
)
ALL = pytest.mark.parametrize(
    "organization",
    [ONE, THREE, OUTSIDE, CORP, CORP_OF_THE_EDGE, NETWORKS, MANY],
    ids=["one", "three", "outside", "corp", "edge's", "networks", "many"],
)
SVG = "{http://www.w3.org/2000/svg}"
SEEN = (
    Sighting("cas1", "imap4", "10.77.3.50", 7, "Kerberos, TLSv1.3, TLS_AES_256_GCM_SHA384"),
    Sighting("mbx1", "postgresql", "local", 1, "Peer credentials, local"),
)


def plan(organization: Organization) -> Layout:
    arrows = flows(organization, settle(organization.profile).values())
    return layout(organization, nodes(organization, arrows), arrows)


def titles(text: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(text).iter(f"{SVG}title")]


def texts(text: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(text).iter(f"{SVG}text")]


@ALL
def test_it_is_an_svg_that_says_what_it_is_and_is_the_same_every_time(organization: Organization) -> None:
    text = draw(organization, SEEN)
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.get("aria-labelledby") == "title about"
    assert titles(text)[0] == f"The data paths of {organization.name}"
    assert text == draw(organization, list(SEEN))
    assert "script" not in text and "http" not in text.replace("http://www.w3.org/2000/svg", "")


@ALL
def test_no_two_columns_lanes_or_labels_touch(organization: Organization) -> None:
    drawn = plan(organization)
    lefts = sorted(column.left for column in drawn.columns.values())
    assert all(right - left > COLUMN for left, right in itertools.pairwise(lefts))
    for one, other in itertools.pairwise(drawn.lanes):
        assert one.top + one.height <= other.top
    for lane in drawn.lanes:
        half = len(lane.row.id) * LETTER / 2
        assert lane.x - half >= MARGIN and lane.x + half <= drawn.right
        assert all(lane.y < stroke.y <= lane.top + lane.height for stroke in lane.strokes)
    assert drawn.lanes[-1].top + drawn.lanes[-1].height <= drawn.bottom


@ALL
def test_strokes_on_one_height_do_not_meet(organization: Organization) -> None:
    drawn = plan(organization)
    for lane in drawn.lanes:
        spans: dict[float, list[tuple[float, float]]] = {}
        for stroke in lane.strokes:
            ends = [drawn.columns[name].middle for flow in stroke.flows for name in (flow.caller, flow.callee)]
            for left, right in spans.setdefault(stroke.y, []):
                assert max(ends) < left or right < min(ends)
            spans[stroke.y].append((min(ends), max(ends)))


@ALL
def test_every_arrow_stands_on_it_once(organization: Organization) -> None:
    drawn = plan(organization)
    strokes = [flow for lane in drawn.lanes for stroke in lane.strokes for flow in stroke.flows]
    arrows = flows(organization, settle(organization.profile).values())
    assert sorted((f.row.id, f.caller, f.callee) for f in strokes) == sorted(
        (f.row.id, f.caller, f.callee) for f in arrows
    )
    said = [title for title in titles(draw(organization)) if title.endswith(("required", "offered", "never encrypted"))]
    arrows_said = [title for title in said if re.match(r"[\w-]+: (?:.* to .*|within .*), (?:encryption|never)", title)]
    assert len(arrows_said) == len(arrows)


@ALL
def test_hosts_stand_within_their_zones(organization: Organization) -> None:
    drawn = plan(organization)
    for column in drawn.columns.values():
        (area,) = [one for one in drawn.areas if one.left < column.left and column.left + COLUMN < one.left + one.width]
        assert area.zone is column.node.zone
    assert {one.name for one in standings(organization)} <= set(drawn.columns)


def test_sites_are_zones_of_their_own_where_there_are_several() -> None:
    assert [area.title for area in plan(CORP).areas] == ["Internet", "Perimeter", "Headquarters", "Branch", "Clients"]
    assert [area.title for area in plan(ONE).areas] == ["Internet", "Inside", "Clients", "Around"]


def test_names_are_text_and_what_could_be_markup_is_not() -> None:
    text = draw(replace(CORP, name='<b>"&'))
    assert titles(text)[0] == 'The data paths of <b>"&'
    assert {"hub1", "edge1.corp.test", "10.77.1.20", "hub-to-edge", "Headquarters"} <= set(texts(text))


def test_colours_tell_the_encryption_under_the_profile() -> None:
    def colour(profile: Profile, path: str) -> str:
        text = draw(replace(CORP, profile=profile))
        return next(iter(re.findall(rf'style="fill: (#\w+)">{path}<', text)))

    assert colour(Profile.PRACTICAL, "edge-adam") == _COLOURS[Encryption.REQUIRED]
    assert colour(Profile.REFERENCE, "edge-adam") == _COLOURS[Encryption.NEVER]
    assert colour(Profile.PRACTICAL, "edge-to-edge") == _COLOURS[Encryption.OFFERED]


def test_what_was_observed_is_thick_and_says_how() -> None:
    text = draw(CORP, SEEN)
    thick = re.findall(r"<title>([^<]*)</title>\n<path class=\"thick\"", text)
    assert [one.partition(",")[0] for one in thick] == ["imap4: client1 to cas1", "postgresql: within mbx1"]
    assert thick[0].endswith("Observed 7 times: Kerberos, TLSv1.3, TLS_AES_256_GCM_SHA384")
    assert thick[1].endswith("Observed 1 time: Peer credentials, local")
    assert "2 of them observed in use" in text
    assert "pop3: client1 to cas1, encryption required. Declared, not observed" in titles(text)
    assert "observed" in texts(text)


def test_where_nothing_was_asked_nothing_is_said_of_it() -> None:
    text = draw(CORP)
    assert "bserved" not in text and 'class="thick"' not in text and 'opacity="0.5"' not in text
    assert "0 of them observed in use" in draw(CORP, [])


def test_what_belongs_to_no_arrow_is_told_below() -> None:
    strays = [Sighting("cas1", "imap4", f"198.51.100.{n}", 1, "Basic, clear text") for n in range(_MAX_STRAYS + 3)]
    said = [text for text in texts(draw(CORP, strays)) if text.startswith("Observed, and no arrow")]
    assert len(said) == _MAX_STRAYS
    assert "imap4, seen by cas1, peer 198.51.100.0 (1, Basic, clear text)" in said[0]
    assert "and 3 more" in texts(draw(CORP, strays))


@pytest.mark.parametrize(
    ("organization", "path", "words"),
    [
        (CORP, "hub-to-edge", "25 · Direct trust · TLS"),
        (CORP, "edge-adam", "50389 unix socket · NTLM · TLS"),
        (ONE, "hub-to-mailbox-mapi", "unix socket · Peer credentials · never leaves the host"),
        (THREE, "hub-to-mailbox-mapi", "10135 dynamic unix socket · NTLM · RPC privacy"),
        (ONE, "client-to-hub-smtp", "10025 10587 10465 · Basic · TLS"),
        (ONE, "hub-to-internet", "25 · Anonymous · TLS"),
        (ONE, "postgresql", "unix socket · Peer credentials · never leaves the host"),
        (OUTSIDE, "postgresql", "unix socket 5432 · Peer credentials · TLS"),
    ],
)
def test_beside_each_path_stands_where_how_and_sealed_by_what(
    organization: Organization, path: str, words: str
) -> None:
    said = texts(draw(organization))
    assert said[said.index(path) + 1] == words


def test_long_names_and_many_addresses_keep_to_their_box() -> None:
    server = Server("hub1", f"{'long-' * 9}name.test", frozenset({Role.HUB}), ("2001:db8:aaaa:bbbb::1", "::2", "::3"))
    said = texts(draw(replace(ONE, servers=(server,))))
    assert f"{('long-' * 9)[:21]}…" in said and "::2 +1" in said and "2001:db8:aaaa:bbbb::1" in said
    assert map_layout.head_lines(nodes(replace(ONE, servers=(server,)), [])[0]) == 5
