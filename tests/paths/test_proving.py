"""Which mechanism is tried first, as the reference's notes and cells say; and that what follows is the row's."""

from __future__ import annotations

import pytest

from postern.model.organization import Profile
from postern.model.security import Mechanism, PrincipalKind
from postern.paths import ports
from postern.paths.proving import proofs
from postern.paths.row import Table
from postern.paths.table import REFERENCE, settle

NTLM, KERBEROS, PEER = Mechanism.NTLM, Mechanism.KERBEROS, Mechanism.PEER
SERVER, USER = PrincipalKind.SERVER, PrincipalKind.USER
LETTER = settle(Profile.REFERENCE)
BOTH = [
    row.id
    for row in REFERENCE
    if row.default_auth == (NTLM, KERBEROS) and row.table is Table.MAILBOX and set(ports.RPC) <= set(row.ports)
]


def test_the_rows_that_list_both() -> None:
    assert len(BOTH) == 9 and "content-indexing" in BOTH


@pytest.mark.parametrize("row", [*BOTH, "ad-topology", "um-to-mailbox"])
def test_a_machine_tries_kerberos_and_a_person_ntlm(row: str) -> None:
    assert proofs(LETTER[row], SERVER) == (KERBEROS, NTLM)
    assert proofs(LETTER[row], USER) == (NTLM, KERBEROS)


@pytest.mark.parametrize("row", ["hub-to-mailbox-mapi", "mailbox-to-hub-submission"])
def test_between_mailbox_and_hub_the_host_decides(row: str) -> None:
    assert LETTER[row].words.default_auth == "NTLM; Kerberos when both roles share a server"
    assert proofs(LETTER[row], SERVER) == (NTLM, KERBEROS)
    assert proofs(LETTER[row], SERVER, same_host=True) == (KERBEROS, NTLM)
    practical = settle(Profile.PRACTICAL)[row]
    assert proofs(practical, SERVER, same_host=True) == (PEER, NTLM, KERBEROS)
    assert proofs(practical, SERVER)[0] is NTLM


def test_only_rows_whose_cell_says_so_are_decided_by_the_host() -> None:
    conditional = {row.id for row in REFERENCE if "share a server" in row.words.default_auth}
    assert {row.id for row in REFERENCE if row.host_decides} == conditional


def test_a_row_with_one_default_means_it() -> None:
    assert proofs(LETTER["cas-to-mailbox"], SERVER) == proofs(LETTER["cas-to-mailbox"], USER) == (KERBEROS, NTLM)
    assert proofs(LETTER["rus-rpc"], USER) == (KERBEROS,)


def test_a_profile_may_leave_less() -> None:
    """Whatever a profile adds or drops, nothing is tried that the row does not list."""
    for profile in Profile:
        for row in settle(profile).values():
            for kind in (SERVER, USER):
                assert set(proofs(row, kind)) == {*row.default_auth, *row.supported_auth}
    assert proofs(settle(Profile.HARDENED)["ad-topology"], USER) == (KERBEROS, PEER)
    assert proofs(settle(Profile.PRACTICAL)["ad-topology"], SERVER)[0] is KERBEROS
