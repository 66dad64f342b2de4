"""No reader of foreign octets takes more than its share: the one test that time decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from scripts.documents import bounds

from tests.bounds.growth import LAST, MOST, SIZES, Work, cases, growth, reader_of

SOURCE = Path(__file__).parents[2] / "src" / "postern"
CASES = cases()
READERS = bounds()
WITHOUT_A_CASE = {
    "directory.administration.Administration._way": "counts entries of a directory, not octets",
    "host.small_files.read_small": "reads a file's first octets",
    "lab.steps.cause": "reads what our own tools said",
    "net.local.LocalQuestion": "keeps what a server of this host said and looks for a few octets in it",
    "net.turns.Turns": "a line of those who wait, which reads no octets; tests/net/test_turns.py counts its turns",
    "store.renewal.Renewal.of_items": "asks a database portion by portion; `protocols.mime.message.render` reads the octets",
    "telemetry.attempts.read": "reads what we wrote ourselves",
    "telemetry.tracking.read": "reads what we wrote ourselves",
    "transport.delivery_status._header_of": "cuts off 64 KB; `header.parse_fields` reads them",
    "transport.delivery_status._trace_of": "cuts off 16 KB; `header.fields` reads them",
    "transport.delivery_status._subject": "64 KB by `header.parse_fields`, 200 characters by `words.decode_words`",
    "transport.poison.keep_copy": "writes a message to a file",
    "trust.pool.FairQueue": "a queue in memory that reads no octets; its own tests count its steps",
}
"""Readers that have a bound and nothing that could be timed, each with its reason."""


@pytest.mark.parametrize("case", CASES)
def test_four_times_the_octets_take_at_most_six_times_the_time(case: str) -> None:
    found = growth(CASES[case])
    for seconds in (5, 15):
        # Other tests may take the machine's memory for a while, and large inputs are slow then. Real growth shows each time.
        if found.ratio > MOST:
            time.sleep(seconds)
            found = growth(CASES[case])
    assert found.ratio <= MOST, f"{case}: {found}"


def _scripted(
    *, per_octet: float, square: float = 0.0, slow_first_small: float = 1.0
) -> Callable[[object, int], float]:
    """Costs of a reader that takes time as said; its first runs on the smaller input are that much slower."""
    runs: dict[int, int] = {}

    def costs(build: object, size: int) -> float:
        runs[size] = runs.get(size, 0) + 1
        slowed = slow_first_small if size < max(runs) and runs[size] <= 2 else 1.0
        return (per_octet * size + square * size * size) * slowed

    return costs


def test_the_measure_sees_what_grows_too_fast() -> None:
    def work(size: int) -> Work:
        raise AssertionError("the costs are given")

    linear = growth(work, _scripted(per_octet=1e-7))
    assert linear.ratio <= MOST and linear.size == SIZES[0]
    assert growth(work, _scripted(per_octet=1e-12)).ratio <= MOST, "too quick at any size"
    # 2 ms for 256 KB, and 40 s for a body of 36 MB.
    assert growth(work, _scripted(per_octet=0.0, square=0.002 / SIZES[0] ** 2)).ratio > MOST
    assert growth(work, _scripted(per_octet=0.0, square=0.0001 / SIZES[0] ** 2)).ratio > MOST
    # Another process fills the cache that they share, and 4 MB no longer fit where 1 MB does.
    crowded = growth(work, lambda build, size: size * (4e-9 if size > 1 << 20 else 2e-9))
    assert crowded.size == LAST and crowded.ratio <= MOST
    # Copies alone, of what the cache holds and of what it does not: 10 times as long, and 68 ms for 16 MB.
    copies = growth(
        work, lambda build, size: size * (4.1e-9 if size > 1 << 22 else 1.7e-9 if size > 1 << 20 else 1.1e-9)
    )
    assert copies.size == LAST and copies.ratio <= MOST
    # Between the two: 8 times as long at each size.
    assert growth(work, lambda build, size: 1e-10 * size**1.5).ratio > MOST
    quadratic = _scripted(per_octet=0.0, square=1.0 / SIZES[0] ** 2, slow_first_small=4.0)
    assert growth(work, quadratic).ratio > MOST, "a slow run of the smaller input hides nothing"


def test_every_reader_has_a_case_and_every_case_a_reader() -> None:
    timed = {reader_of(case) for case in CASES}
    exempt = {name: reason for name, reason in WITHOUT_A_CASE.items() if name in READERS}
    for name, reason in exempt.items():
        print(f"not timed: {name}: {reason}")
    assert READERS.keys() - timed - exempt.keys() == set(), "these have a bound and no case in tests/bounds"
    assert timed - READERS.keys() == set(), "these have a case and no `Bound: ` line in their docstring"


WRITERS = {
    "acme/signing": "signs what we write",
    "dav/multistatus": "writes",
    "authentication/questions": "carries questions and answers as values",
    "dcerpc/interfaces/ad_topology": "declares an interface; `ndr` reads",
    "dcerpc/interface": "declares interfaces; `ndr` reads",
    "dcerpc/groups": "keeps groups and handles by number",
    "dcerpc/interfaces/item_codecs": "says which codecs of `codecs` read",
    "dcerpc/interfaces/logon_broker": "declares an interface; `ndr` reads",
    "dcerpc/interfaces/mail_submission": "declares an interface; `ndr` reads",
    "dcerpc/interfaces/mailbox": "declares interfaces; `ndr` reads",
    "dcerpc/interfaces/mailbox_assistants": "declares an interface; `ndr` reads",
    "dcerpc/interfaces/mailbox_items": "declares an interface; `ndr` reads",
    "dcerpc/interfaces/management": "declares an interface; `ndr` reads",
    "dcerpc/ndr_blobs": "declares types of arrays; the reader of `ndr` bounds them",
    "dcerpc/protection": "says what a security context does",
    "edge/hashes": "hashes addresses",
    "dcerpc/interfaces/resource_codecs": "says which codecs of `codecs` read",
    "dcerpc/interfaces/published": "lists our interfaces",
    "dcerpc/interfaces/whole_items": "says which codecs of `codecs` read",
    "dcerpc/interfaces/recipient_update": "declares an interface; `ndr` reads",
    "dcerpc/interfaces/windows_types": "read by `validation` and `netlogon`",
    "dcerpc/server_events": "values",
    "ews/schema": "reads our own table; `validation` reads requests by it",
    "ews/codes": "a table",
    "ews/errors": "values",
    "ews/names": "writes",
    "ews/uris": "a table",
    "ews/versions": "a table",
    "http/answer": "writes",
    "http/events": "values",
    "ical/windows_zones": "a table",
    "ical/zone_rules": "computes rules of zones that are known",
    "ical/zone_writing": "writes",
    "imap/commands": "values",
    "imap/cursor": "read by `parse`",
    "imap/fetch_plan": "plans answers",
    "imap/parse_fetch": "read by `parse`",
    "imap/parse_search": "read by `parse`",
    "imap/responses": "writes",
    "smtp/bounds": "values",
    "smtp/events": "values",
    "smtp/parameters": "read by `commands`",
}
"""Modules of protocols that read nothing themselves."""


def test_every_module_of_a_protocol_says_its_bounds() -> None:
    folder = SOURCE / "protocols"
    modules = {str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.py")}
    modules = {name for name in modules if not name.endswith("__init__")}
    bounded = {"/".join(name.split(".")[1:-1]) for name in READERS if name.startswith("protocols.")}
    bounded |= {name.rpartition("/")[0] for name in bounded}  # a method's module
    advice = "give their readers a `Bound: ` line, or say in WRITERS what reads for them"
    assert modules - bounded - WRITERS.keys() == set(), advice
    assert WRITERS.keys() - modules == set(), "these modules are gone"
