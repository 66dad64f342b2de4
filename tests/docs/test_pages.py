"""The generated pages are current, and every standard that the source cites is told of honestly."""

from __future__ import annotations

import pytest
from scripts.documents import PAGES, ROOT, citations, cited, standards


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name](), f"{name} is not current: make docs"


def test_every_cited_standard_is_known() -> None:
    known = standards()
    unknown = {number: where for number, where in citations().items() if number not in known}
    assert not unknown, "docs/specs.tsv does not know these"


def test_what_is_implemented_is_cited_somewhere() -> None:
    """Nobody can check a claim that names no line."""
    where = citations()
    claimed = [one.number for one in standards().values() if one.status in ("implemented", "partly")]
    assert not [number for number in claimed if number not in where]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(RFC 5321 section 4.5.3)", {"RFC 5321"}),
        ("MIME RFC 2045-2047, 2231)", {"RFC 2045", "RFC 2046", "RFC 2047", "RFC 2231"}),
        ("RFC 3461 to 3464, UTF-8 as RFC 6533", {"RFC 3461", "RFC 3462", "RFC 3463", "RFC 3464", "RFC 6533"}),
        ("RFC 7162 3.1.3, RFC 4315.", {"RFC 7162", "RFC 4315"}),
        ("MS-RPCE 2.2.2.11.1 over MS-NLMP; C706 12.6", {"MS-RPCE", "MS-NLMP", "C706"}),
        ("RFC822.SIZE, BODY[1], X-MS-CHILD", set()),
    ],
)
def test_how_citations_are_read(text: str, expected: set[str]) -> None:
    assert cited(text) == expected
