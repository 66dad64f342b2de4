"""Profiles deviate from the reference only with a reason, and as the design says."""

from __future__ import annotations

import pytest

from postern.model.organization import Profile
from postern.model.security import Encryption, Mechanism
from postern.paths import profiles
from postern.paths.row import Deviation, Party, Tls, Wire
from postern.paths.table import REFERENCE, TABLE, deviations, same, settle

SERVERS = frozenset({Party.HUB, Party.MAILBOX, Party.CLIENT_ACCESS, Party.UNIFIED_MESSAGING, Party.ANY_SERVER})
LOCAL_RPC = tuple(
    row.id
    for row in REFERENCE
    if {port.label for port in row.ports} == {"epm", "rpc"}
    and not row.waits_for
    and row.callee in SERVERS
    and SERVERS.issuperset(row.caller)
)
"""RPC rows between servers that are built: `practical=(profiles.LOCAL_RPC,)` is all that one of them needs."""
WEAK = {Mechanism.NTLM, Mechanism.DIGEST, Mechanism.BASIC}
STRONG = {Mechanism.KERBEROS, Mechanism.SCRAM, Mechanism.CERTIFICATE}


@pytest.mark.parametrize("profile", [Profile.PRACTICAL, Profile.HARDENED])
def test_each_deviation_has_a_reason_and_nothing_else_has(profile: Profile) -> None:
    for row in settle(profile).values():
        assert bool(row.reasons) == (not same(row, TABLE[row.id])), row.id


def test_the_reference_has_no_reasons_to_give() -> None:
    assert not any(row.reasons for row in TABLE.values())


def test_rows_name_every_deviation() -> None:
    named = [change for row in TABLE.values() for change in row.practical + row.hardened]
    assert [name for name, value in vars(profiles).items() if isinstance(value, Deviation) and value not in named] == []


def test_words_change_where_a_cell_changes_and_nowhere_else() -> None:
    for profile in Profile:
        for row in settle(profile).values():
            was = TABLE[row.id]
            assert (row.cells.ports == was.cells.ports) == (row.ports == was.ports)
            assert (row.cells.default_auth == was.cells.default_auth) == (row.default_auth == was.default_auth)
            assert (row.cells.supported_auth == was.cells.supported_auth) == (row.supported_auth == was.supported_auth)
            assert (row.cells.encryption == was.cells.encryption) == (row.seal == was.seal)
            assert row.cells.notes == was.cells.notes


def test_practical_submission_is_what_clients_can() -> None:
    row = settle(Profile.PRACTICAL)["client-to-hub-smtp"]
    assert [(port.number, port.tls) for port in row.ports] == [
        (25, Tls.UPGRADE),
        (587, Tls.UPGRADE),
        (465, Tls.IMPLICIT),
    ]
    assert row.default_auth[0] is Mechanism.BASIC
    assert set(row.supported_auth) == {Mechanism.BASIC, Mechanism.NTLM, Mechanism.KERBEROS, Mechanism.SCRAM}
    assert row.encryption is Encryption.REQUIRED
    assert row.cells.ports == "25/TCP (TLS); 587/TCP (TLS); 465/TCP (SSL)"
    assert row.cells.default_auth == "Basic, NTLM, Kerberos"


@pytest.mark.parametrize("row_id", ["imap4", "pop3"])
def test_practical_adds_scram_to_mail_clients(row_id: str) -> None:
    row, was = settle(Profile.PRACTICAL)[row_id], TABLE[row_id]
    assert row.supported_auth == (*was.supported_auth, Mechanism.SCRAM)
    assert (row.ports, row.default_auth) == (was.ports, was.default_auth)


@pytest.mark.parametrize("profile", [Profile.PRACTICAL, Profile.HARDENED])
@pytest.mark.parametrize("row_id", LOCAL_RPC)
def test_both_roles_on_one_host_speak_over_a_unix_socket(row_id: str, profile: Profile) -> None:
    row = settle(profile)[row_id]
    assert row.port("ncalrpc").wire is Wire.UNIX
    assert Mechanism.PEER in row.supported_auth
    assert row.default_auth[0] is not Mechanism.PEER  # a caller on another host tries the first
    assert row.cells.ports == TABLE[row_id].cells.ports + "; unix socket (ncalrpc)"


def test_the_rows_that_are_meant() -> None:
    known = {
        "hub-to-mailbox-mapi",
        "mailbox-to-hub-submission",
        "cas-to-mailbox",
        "ad-topology",
        "rus-rpc",
        "mailbox-assistants",
    }
    assert known <= set(LOCAL_RPC)


def test_only_those_rows_know_peer_credentials_among_the_references() -> None:
    rows = settle(Profile.PRACTICAL)
    assert {row.id for row in REFERENCE if Mechanism.PEER in rows[row.id].supported_auth} == {*LOCAL_RPC, "edge-adam"}
    assert not any(Mechanism.PEER in row.supported_auth for row in REFERENCE)


def test_the_edges_own_processes_ask_its_directory_over_a_unix_socket() -> None:
    row = settle(Profile.PRACTICAL)["edge-adam"]
    assert row.port("ldapi").wire is Wire.UNIX
    assert row.port(50389).tls is Tls.UPGRADE
    assert row.cells.ports == "50389/TCP (TLS); unix socket (ldapi)"
    assert row.cells.supported_auth == "NTLM, Kerberos, Peer credentials"
    assert settle(Profile.HARDENED)["edge-adam"].supported_auth == (Mechanism.KERBEROS, Mechanism.PEER)


def test_practical_encrypts_every_path_that_can_carry_it() -> None:
    rows = settle(Profile.PRACTICAL)
    assert {row.id for row in REFERENCE if rows[row.id].encryption is Encryption.NEVER} == {"vss-backup"}
    for row in REFERENCE:
        order = list(Encryption)
        assert order.index(rows[row.id].encryption) >= order.index(row.encryption)
    assert 50389 not in {port.number for port in rows["edgesync"].ports}


def test_practical_drops_no_mechanism() -> None:
    for row, was in deviations(Profile.PRACTICAL, Profile.REFERENCE):
        assert set(was.supported_auth) <= set(row.supported_auth)


def test_hardened_drops_what_is_weak_where_something_strong_can_do_its_work() -> None:
    for row in settle(Profile.HARDENED).values():
        strong = STRONG | {Mechanism.NEGOTIATE}
        if row.id in ("private-directory", "recipient-filter"):
            assert Mechanism.BASIC in row.supported_auth  # a service's own random password
        elif strong & set(row.supported_auth):
            assert not WEAK & set(row.supported_auth), row.id


def test_no_row_of_the_reference_keeps_a_weak_mechanism_under_hardened() -> None:
    rows = settle(Profile.HARDENED)
    # EdgeSync's passwords are 256 random bits of a service, and go to the one certificate that was published.
    assert [row.id for row in REFERENCE if WEAK & set(rows[row.id].supported_auth)] == ["edgesync"]


def test_hardened_submission_leaves_out_what_practical_admits() -> None:
    row = settle(Profile.HARDENED)["client-to-hub-smtp"]
    assert row.supported_auth == (Mechanism.KERBEROS, Mechanism.SCRAM)
    assert row.default_auth == (Mechanism.KERBEROS,)
    assert 465 in {port.number for port in row.ports}
    assert not any("password (PLAIN" in reason for reason in row.reasons)


def test_hardened_is_never_softer_than_practical() -> None:
    order = list(Encryption)
    practical = settle(Profile.PRACTICAL)
    for row in settle(Profile.HARDENED).values():
        assert order.index(row.encryption) >= order.index(practical[row.id].encryption)
        assert not (set(row.supported_auth) - set(practical[row.id].supported_auth)) & WEAK


def test_certificates_stand_only_where_rows_list_them() -> None:
    listed = {row.id for row in REFERENCE if Mechanism.CERTIFICATE in row.supported_auth}
    assert listed == {"edge-to-edge", "owa", "activesync", "cas-to-cas-activesync"}
    practical = settle(Profile.PRACTICAL)
    assert {row.id for row in REFERENCE if Mechanism.CERTIFICATE in practical[row.id].supported_auth} == listed
