"""No reader of foreign octets takes more than its share: the one test that time decides."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.documents import bounds

from tests.bounds.growth import MOST, cases, growth, reader_of

SOURCE = Path(__file__).parents[2] / "src" / "postern"
CASES = cases()
READERS = bounds()
WITHOUT_A_CASE = {
    "directory.administration.Administration._way": "counts entries of a directory, not octets",
    "host.small_files.read_small": "reads a file's first octets",
    "lab.steps.cause": "reads what our own tools said",
    "net.local.LocalQuestion": "keeps what a server of this host said and looks for a few octets in it",
    "store.renewal.Renewal.of_items": "asks a database portion by portion; `protocols.mime.message.render` reads the octets",
    "telemetry.attempts.read": "reads what we wrote ourselves",
    "telemetry.tracking.read": "reads what we wrote ourselves",
    "transport.delivery_status._header_of": "cuts off 64 KB; `header.parse_fields` reads them",
    "transport.delivery_status._trace_of": "cuts off 16 KB; `header.fields` reads them",
    "transport.delivery_status._subject": "64 KB by `header.parse_fields`, 200 characters by `words.decode_words`",
    "transport.poison.keep_copy": "writes a message to a file",
    "trust.pool.FairQueue": "a queue in memory that reads no octets; tests/trust/test_pool.py counts its steps",
}
"""Readers that have a bound and nothing that could be timed, each with its reason."""


@pytest.mark.parametrize("case", CASES)
def test_four_times_the_octets_take_at_most_six_times_the_time(case: str) -> None:
    small, large, ratio = growth(CASES[case])
    assert ratio <= MOST, f"{case}: {small * 1000:.1f} ms for 64 KB, {large * 1000:.1f} ms for 256 KB"


def test_every_reader_has_a_case_and_every_case_a_reader() -> None:
    timed = {reader_of(case) for case in CASES}
    exempt = {name: reason for name, reason in WITHOUT_A_CASE.items() if name in READERS}
    for name, reason in exempt.items():
        print(f"not timed: {name}: {reason}")
    assert READERS.keys() - timed - exempt.keys() == set(), "these have a bound and no case in tests/bounds"
    assert timed - READERS.keys() == set(), "these have a case and no `Bound: ` line in their docstring"


WRITERS = {
    "authentication/questions": "carries questions and answers as values",
    "dcerpc/ad_topology": "declares an interface; `ndr` reads",
    "dcerpc/interface": "declares interfaces; `ndr` reads",
    "dcerpc/logon_broker": "declares an interface; `ndr` reads",
    "dcerpc/mail_submission": "declares an interface; `ndr` reads",
    "dcerpc/mailbox_store": "declares interfaces; `ndr` reads",
    "dcerpc/management": "declares an interface; `ndr` reads",
    "dcerpc/protection": "says what a security context does",
    "dcerpc/published": "lists our interfaces",
    "dcerpc/recipient_update": "declares an interface; `ndr` reads",
    "dcerpc/windows_types": "read by `validation` and `netlogon`",
    "imap/commands": "values",
    "imap/cursor": "read by `parse`",
    "imap/fetch_plan": "plans answers",
    "imap/parse_fetch": "read by `parse`",
    "imap/parse_search": "read by `parse`",
    "imap/responses": "writes",
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
    assert modules - bounded - WRITERS.keys() == set()
    assert WRITERS.keys() - modules == set()
