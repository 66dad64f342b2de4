"""The guard, exhaustively: every row under every profile, every seal, every mechanism; and doors that answer for several rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from postern.model.organization import Profile
from postern.model.security import NOBODY, Encryption, Identity, Mechanism, PrincipalKind, Seal
from postern.paths.guard import Guard, Reason, Refusal
from postern.paths.row import Path
from postern.paths.table import TABLE, settle

ALL = frozenset(Mechanism)
TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")
SEALS = (
    None,
    TLS,
    Seal("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256"),
    Seal("TLSv1.1", "ECDHE-RSA-AES128-SHA"),
    Seal("local", "SO_PEERCRED"),
    Seal("RPC privacy", "AES256"),
)


def may(row: Path, mechanism: Mechanism, seal: Seal | None) -> bool:
    """The rules once more, said another way than the guard says them."""
    protocol = seal.protocol if seal else "clear"
    if mechanism not in row.supported_auth:
        return False
    if mechanism is Mechanism.PEER:
        return protocol == "local"
    if mechanism in (Mechanism.CERTIFICATE, Mechanism.DIRECT_TRUST):
        return protocol in ("TLSv1.2", "TLSv1.3")
    if mechanism in (Mechanism.BASIC, Mechanism.FORMS) or row.encryption is Encryption.REQUIRED:
        return protocol not in ("clear", "TLSv1.1")
    return True


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("row_id", TABLE)
def test_every_row_profile_seal_and_mechanism(row_id: str, profile: Profile) -> None:
    row = settle(profile)[row_id]
    guard = Guard([row], ALL)
    for seal, mechanism in product(SEALS, Mechanism):
        refusal = guard.check_mechanism(mechanism, seal)
        assert (refusal is None) == may(row, mechanism, seal), (seal, mechanism)
        if refusal is not None:
            listed = mechanism in row.supported_auth
            assert refusal.reason is (Reason.ENCRYPTION_REQUIRED if listed else Reason.MECHANISM_NOT_LISTED)
        lacking = ALL - ({Mechanism.KERBEROS, Mechanism.NTLM} if mechanism is Mechanism.NEGOTIATE else {mechanism})
        assert Guard([row], lacking).check_mechanism(mechanism, seal) is not None


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("row_id", TABLE)
def test_what_is_advertised_is_what_is_accepted(row_id: str, profile: Profile) -> None:
    row = settle(profile)[row_id]
    guard = Guard([row], ALL)
    for seal in SEALS:
        offer = guard.offer(seal, can_upgrade=True)
        accepted = {mechanism for mechanism in Mechanism if guard.check_mechanism(mechanism, seal) is None}
        assert set(offer.mechanisms) == accepted - {Mechanism.ANONYMOUS}
        assert len(offer.mechanisms) == len(set(offer.mechanisms))
        assert offer.upgrade == (seal is None and row.encryption is not Encryption.NEVER)
        assert offer.login_disabled == (guard.check_mechanism(Mechanism.BASIC, seal) is not None)
        assert not guard.offer(seal, can_upgrade=False).upgrade


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("row_id", TABLE)
def test_nobody_gets_onto_a_row_by_what_it_does_not_admit(row_id: str, profile: Profile) -> None:
    row = settle(profile)[row_id]
    for seal, mechanism, kind in product(SEALS, Mechanism, PrincipalKind):
        answer = Guard([row], ALL).row_for(Identity(kind, "someone", mechanism), seal)
        if isinstance(answer, Path):
            assert answer is row
            inside = mechanism is Mechanism.KERBEROS and may(row, Mechanism.NEGOTIATE, seal)
            assert may(row, mechanism, seal) or inside


# The hub's port 25 answers strangers, hubs and clients at once.

PORT_25 = [settle(Profile.PRACTICAL)[one] for one in ("internet-to-hub", "hub-to-hub", "client-to-hub-smtp")]


def on(kind: PrincipalKind, mechanism: Mechanism, seal: Seal | None) -> str:
    answer = Guard(PORT_25, ALL).row_for(Identity(kind, "someone", mechanism), seal)
    return answer.id if isinstance(answer, Path) else answer.reason.value


def test_who_has_proven_what_is_on_which_row_of_a_shared_door() -> None:
    assert on(PrincipalKind.ANONYMOUS, Mechanism.ANONYMOUS, None) == "internet-to-hub"
    assert on(PrincipalKind.ANONYMOUS, Mechanism.ANONYMOUS, TLS) == "internet-to-hub"
    assert on(PrincipalKind.SERVER, Mechanism.KERBEROS, TLS) == "hub-to-hub"
    assert on(PrincipalKind.USER, Mechanism.KERBEROS, TLS) == "client-to-hub-smtp"
    assert on(PrincipalKind.USER, Mechanism.BASIC, TLS) == "client-to-hub-smtp"
    assert on(PrincipalKind.SERVER, Mechanism.BASIC, TLS) == "authentication-required"
    assert on(PrincipalKind.USER, Mechanism.BASIC, None) == "encryption-required"


def test_a_shared_door_offers_strangers_tls_and_clients_nothing_before_it() -> None:
    guard = Guard(PORT_25, ALL)
    clear, sealed = guard.offer(None, can_upgrade=True), guard.offer(TLS, can_upgrade=True)
    assert (clear.upgrade, clear.mechanisms, clear.login_disabled) == (True, (), True)
    assert (sealed.upgrade, sealed.login_disabled) == (False, False)
    assert sealed.mechanisms == (Mechanism.KERBEROS, Mechanism.NTLM, Mechanism.BASIC, Mechanism.SCRAM)


def test_negotiate_is_kerberos_and_ntlm_only_where_it_stands_beside_it() -> None:
    strict, lenient = settle(Profile.HARDENED)["mapi-over-http"], settle(Profile.PRACTICAL)["mapi-over-http"]
    user = Identity(PrincipalKind.USER, "alice", Mechanism.KERBEROS)
    for row in (strict, lenient):
        assert Guard([row], frozenset({Mechanism.KERBEROS})).offer(TLS, False).mechanisms == (Mechanism.NEGOTIATE,)
        assert Guard([row], ALL).row_for(user, TLS) is row
    ntlm = frozenset({Mechanism.NTLM})
    assert Guard([strict], ntlm).offer(TLS, False).mechanisms == ()
    assert Guard([lenient], ntlm).offer(TLS, False).mechanisms == (Mechanism.NEGOTIATE, Mechanism.NTLM)
    answer = Guard([strict], ALL).row_for(replace(user, mechanism=Mechanism.NTLM), TLS)
    assert isinstance(answer, Refusal) and answer.reason is Reason.AUTHENTICATION_REQUIRED


def test_a_client_that_proves_nothing_is_asked_to() -> None:
    answer = Guard([settle(Profile.PRACTICAL)["client-to-hub-smtp"]], ALL).row_for(NOBODY, TLS)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.AUTHENTICATION_REQUIRED


def test_a_server_is_on_the_row_of_a_role_that_it_has() -> None:
    guard = Guard([TABLE["hub-to-hub"], TABLE["um-to-hub"]], frozenset({Mechanism.KERBEROS}))
    server = Identity(PrincipalKind.SERVER, "UM1$", Mechanism.KERBEROS)
    seal = Seal("TLSv1.3", "x")
    found = guard.row_for(server, seal, lambda row: row.id == "um-to-hub")
    assert isinstance(found, Path) and found.id == "um-to-hub"
    refused = guard.row_for(server, seal, lambda row: False)
    assert isinstance(refused, Refusal) and refused.reason is Reason.AUTHENTICATION_REQUIRED


def test_a_guard_without_rows_cannot_be() -> None:
    with pytest.raises(ValueError, match="without a row"):
        Guard([], ALL)


def test_what_is_said_to_a_refused_peer_names_no_row() -> None:
    for row in TABLE.values():
        for seal, mechanism in product((None, TLS), Mechanism):
            refusal = Guard([row], ALL).check_mechanism(mechanism, seal)
            assert refusal is None or row.id not in refusal.text
