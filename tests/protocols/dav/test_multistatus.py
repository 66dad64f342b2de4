"""Multistatus answers: what is written can be read, whatever names and texts are in it."""

from __future__ import annotations

from http import HTTPStatus

from hypothesis import given
from hypothesis import strategies as st

from postern.protocols import xml
from postern.protocols.dav import multistatus
from postern.protocols.dav.fields import read_url
from postern.protocols.dav.names import dav, element


def root_of(*responses: str) -> xml.Element:
    return xml.read((multistatus.BEGIN + "".join(responses) + multistatus.END).encode())


def test_properties_that_are_there_and_missing_ones() -> None:
    response = multistatus.properties("/a", "<D:getetag>x</D:getetag>", element("{urn:y}z"))
    (part,) = root_of(response).elements
    stats = part.find_all(dav("propstat"))
    assert [stat.text_of(dav("status")) for stat in stats] == ["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"]
    assert stats[0].text_of(dav("prop"), dav("getetag")) == "x"
    assert stats[1].find(dav("prop"), "{urn:y}z") is not None


def test_minimal_answers_leave_out_what_is_missing() -> None:
    """RFC 8144 section 2.1: a response without any property says 200 about none."""
    (part,) = root_of(multistatus.properties("/a", "", "<D:getetag/>", is_minimal=True)).elements
    (stat,) = part.find_all(dav("propstat"))
    assert stat.text_of(dav("status")) == "HTTP/1.1 200 OK" and stat.elements[0].elements == []
    (part,) = root_of(multistatus.properties("/a", "", "<D:getetag/>")).elements
    assert len(part.find_all(dav("propstat"))) == 1


def test_outcomes_and_states() -> None:
    parts = [
        (HTTPStatus.FORBIDDEN, [dav("getetag")], "<D:cannot-modify-protected-property/>"),
        (HTTPStatus.FAILED_DEPENDENCY, [dav("displayname")], ""),
        (HTTPStatus.OK, [], ""),
    ]
    first, second = root_of(
        multistatus.outcomes("/a", parts), multistatus.state("/b", HTTPStatus.NOT_FOUND, "<D:error-of-mine/>")
    ).elements
    stats = first.find_all(dav("propstat"))
    assert [stat.text_of(dav("status")).split()[1] for stat in stats] == ["403", "424"]
    assert stats[0].find(dav("error"), dav("cannot-modify-protected-property")) is not None
    assert second.text_of(dav("status")).split()[1] == "404"
    assert second.find(dav("error"), dav("error-of-mine")) is not None


def test_an_error() -> None:
    root = xml.read(multistatus.error_body("<C:valid-calendar-data/>"))
    assert root.name == dav("error") and root.elements[0].local == "valid-calendar-data"


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_an_href_leads_back(name: str) -> None:
    path = "/dav/" + name.replace("/", "")
    href = multistatus.href_of(path)
    assert xml.text(href) == href
    if path.strip("/") not in ("dav/.", "dav/..") and len(href) < 8000:
        assert read_url(href) == path
