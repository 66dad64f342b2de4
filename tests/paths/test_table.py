"""The table is the reference: data-paths.tsv has its checksum, every row has its cells, and the typed values say what the words
say, as a small grammar of this file's own reads them.

covers: transport mailbox client_access unified_messaging ours surroundings ports row wording reference
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from pathlib import Path as FilePath

import pytest

from postern.model.organization import Profile
from postern.model.security import Encryption, Mechanism
from postern.paths import ports
from postern.paths.row import End, Party, Path, Table, Tls, Wire
from postern.paths.table import REFERENCE, TABLE, deviations, settle

FILE = FilePath(__file__).parents[2] / "src/postern/paths/data-paths.tsv"
SHA256 = "52733b52e4ae8a3fb46230d46c8e94fe8f68914c9f9c1814eb2ff02d92da678c"
"""Of the reference's file. The rows take their words from it, so that nothing but this holds what it says."""

with open(FILE, encoding="utf-8", newline="") as file:
    CELLS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))

BY_ID = {cells["id"]: cells for cells in CELLS}
IDS = [cells["id"] for cells in CELLS]


def test_the_file_is_the_references() -> None:
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == SHA256


def test_the_reference_has_its_52_rows_in_its_order() -> None:
    assert [row.id for row in REFERENCE] == IDS
    assert len(IDS) == 52
    assert Counter(cells["encrypted_by_default"] for cells in CELLS) == {
        "yes": 36,
        "no": 12,
        "yes (self-signed certificate)": 2,
        "yes (SIP)": 2,
    }


@pytest.mark.parametrize("row_id", IDS)
def test_every_cell_under_reference_is_the_references(row_id: str) -> None:
    row = settle(Profile.REFERENCE)[row_id]
    assert {
        "section": row.table.value,
        "id": row.id,
        "path": row.name,
        "ports": row.cells.ports,
        "default_auth": row.cells.default_auth,
        "supported_auth": row.cells.supported_auth,
        "encryption": row.cells.encryption,
        "encrypted_by_default": row.cells.encrypted_by_default,
        "notes": row.cells.notes,
    } == BY_ID[row_id]


# Typed values against the words, read by this file's own small grammar.

NUMBERED = re.compile(r"(\d+)/(TCP|UDP)(?:[^()/;]*?\(([^)]*)\))?")
UNMARKED_TLS = {("cas-to-um", 5061), ("um-fax", 5061), ("um-phone", 5061)}
"""5061 is SIP over TLS (RFC 3261 section 19.1.2), which the reference leaves unsaid."""


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.id)
def test_numbers_and_wires_are_those_of_the_words(row: Path) -> None:
    said = {(int(number), wire) for number, wire, _ in NUMBERED.findall(row.cells.ports)}
    if row.id == "cas-to-mailbox":
        said = {(135, "TCP")}  # "RPC, many ports": the endpoint mapper names them
    if row.id == "vss-backup":
        said = {(445, "TCP")}  # "SMB (local)"
    assert {(port.number, str(port.wire)) for port in row.ports if port.number is not None} == said


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.id)
def test_dynamic_ports_are_those_of_the_words(row: Path) -> None:
    said = any(word in row.cells.ports for word in ("RPC", "random", "dynamic"))
    dynamic = [port for port in row.ports if port.number is None and port.wire in (Wire.TCP, Wire.UDP)]
    assert bool(dynamic) == said
    assert ("unix socket" in row.cells.ports) == any(port.wire is Wire.UNIX for port in row.ports)


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.id)
def test_tls_is_as_the_words_mark_it(row: Path) -> None:
    marks = {(int(number), wire): mark for number, wire, mark in NUMBERED.findall(row.cells.ports)}
    for port in row.ports:
        if port.number is None or (port.number, str(port.wire)) not in marks:
            assert port.tls is Tls.NONE
            continue
        mark = marks[port.number, str(port.wire)]
        said = {"TLS": Tls.UPGRADE, "SSL": Tls.IMPLICIT}.get(mark, Tls.NONE)
        if row.id == "um-submission":
            said = Tls.UPGRADE  # the same path as um-to-hub
        if (row.id, port.number) in UNMARKED_TLS:
            said = Tls.IMPLICIT
        assert port.tls is said, port


MECHANISMS = {
    "NTLM; Kerberos when both roles share a server": [Mechanism.NTLM, Mechanism.KERBEROS],
    "Basic, Integrated Windows (Negotiate)": [Mechanism.BASIC, Mechanism.NEGOTIATE],
    "Integrated Windows (Negotiate)": [Mechanism.NEGOTIATE],
    "Basic, Digest, NTLM, Negotiate (Kerberos)": [
        Mechanism.BASIC,
        Mechanism.DIGEST,
        Mechanism.NTLM,
        Mechanism.NEGOTIATE,
    ],
    "Basic, Digest, Forms, NTLM (v2 only), Kerberos, Certificate": [
        Mechanism.BASIC,
        Mechanism.DIGEST,
        Mechanism.FORMS,
        Mechanism.NTLM,
        Mechanism.KERBEROS,
        Mechanism.CERTIFICATE,
    ],
    "Negotiate (Kerberos with fallback to NTLM or optionally Basic), POP/IMAP plain text": [
        Mechanism.NEGOTIATE,
        Mechanism.KERBEROS,
        Mechanism.NTLM,
        Mechanism.BASIC,
    ],
    "HTTP Basic or Outlook Web Access forms": [Mechanism.BASIC, Mechanism.FORMS],
    "Basic, Outlook Web Access forms": [Mechanism.BASIC, Mechanism.FORMS],
}
"""Cells that are more than a list of the mechanisms' own names."""


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("row_id", TABLE)
def test_mechanisms_are_those_of_the_words(row_id: str, profile: Profile) -> None:
    row = settle(profile)[row_id]
    for words, typed in ((row.cells.default_auth, row.default_auth), (row.cells.supported_auth, row.supported_auth)):
        said = MECHANISMS.get(words) or [Mechanism(word) for word in words.split(", ")]
        assert list(typed) == said
    assert set(row.default_auth) <= set(row.supported_auth)
    assert row.default_auth


WITH_TLS_BUT_NOT_BY_DEFAULT = {"outlook-oab-web", "cas-to-legacy-mailbox"}
STRANGERS = {
    "edge-to-edge",
    "um-fax",
    "um-phone",
    "internet-to-hub",
    "hub-to-internet",
    "sip-redirect",
    "client-configuration",
    "ews-notification",
}


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.id)
def test_encryption_is_what_the_words_promise(row: Path) -> None:
    if row.cells.encrypted_by_default == "no":
        assert row.encryption is (Encryption.OFFERED if row.id in WITH_TLS_BUT_NOT_BY_DEFAULT else Encryption.NEVER)
    else:
        assert row.encryption is (Encryption.OFFERED if row.id in STRANGERS else Encryption.REQUIRED)
    assert (row.cells.encryption == "none") == (row.seal == "")
    seals = {"RPC encryption": "RPC privacy", "Kerberos encryption": "Kerberos", "IPsec": "IPsec", "LDAPS": "LDAPS"}
    said = seals.get(row.cells.encryption, "SIP over TLS" if "SIP" in row.cells.encryption else row.seal)
    assert row.seal == said


@pytest.mark.parametrize("row", REFERENCE, ids=lambda row: row.id)
def test_rpc_rows_have_the_endpoint_mapper_and_a_port_of_the_range(row: Path) -> None:
    if "RPC" in row.cells.ports:
        assert row.port("epm").number == 135
        assert row.port("rpc").number is None


def test_ours_are_marked_and_share_no_id_with_the_reference() -> None:
    ours = [row for row in TABLE.values() if row.ours]
    assert {row.id for row in ours}.isdisjoint(IDS)
    assert all(row.table is Table.OURS for row in ours)
    assert len(TABLE) == 52 + len(ours)
    assert {"internet-to-hub", "hub-to-internet", "any-server-to-dns", "postgresql", "private-directory", "ssh"} <= {
        row.id for row in ours
    }


@pytest.mark.parametrize("row_id", ["client-access-to-ad", "mailbox-to-ad", "dsaccess-to-ad", "attendant-to-ad"])
def test_all_servers_reach_active_directory_alike(row_id: str) -> None:
    row, hubs = TABLE[row_id], TABLE["hub-to-ad"]
    assert (row.ports, row.supported_auth, row.encryption, row.seal) == (
        hubs.ports,
        hubs.supported_auth,
        hubs.encryption,
        hubs.seal,
    )
    assert row.cells.ports == hubs.cells.ports


def test_a_row_gives_its_own_port() -> None:
    row = TABLE["client-to-hub-smtp"]
    assert row.port(587) is row.ports[1]
    assert TABLE["any-server-to-dns"].port(53, Wire.TCP).wire is Wire.TCP
    assert settle(Profile.PRACTICAL)["cas-to-mailbox"].port("ncalrpc") is ports.NCALRPC
    with pytest.raises(KeyError):
        row.port(26)


def test_strangers_certificate_checks_never_open_our_own_ports() -> None:
    row = TABLE["edge-to-edge"]
    assert row.caller == (Party.INTERNET,)
    assert {port.number for port in row.ports if port.end is End.CALLER} == {80, 389}


def test_deviations_are_none_within_one_profile_and_the_same_rows_both_ways() -> None:
    for profile in Profile:
        assert deviations(profile, profile) == []
        for against in Profile:
            there = [row.id for row, _ in deviations(profile, against)]
            assert there == [row.id for row, _ in deviations(against, profile)]


def test_settling_gives_every_row_and_a_dictionary_of_ones_own() -> None:
    mine = settle(Profile.PRACTICAL)
    assert list(mine) == list(TABLE)
    del mine["imap4"]
    assert "imap4" in settle(Profile.PRACTICAL)
