"""What a session says of its client: its row, the row that logs name, and whether it may relay."""

from __future__ import annotations

import pytest

from postern.model.security import NOBODY, Identity, Mechanism, Peer, PrincipalKind
from postern.paths.guard import Offer, Reason, Refusal
from postern.paths.table import TABLE
from postern.services.smtp.session import Session

ALICE = Identity(PrincipalKind.USER, "alice", Mechanism.BASIC)
HUB = Identity(PrincipalKind.SERVER, "HUB1$", Mechanism.KERBEROS)
EDGE = Identity(PrincipalKind.SERVER, "edge1", Mechanism.DIRECT_TRUST)
NOT_ADMITTED = Refusal(Reason.AUTHENTICATION_REQUIRED, "Authentication required")


def session(row: str, identity: Identity) -> Session:
    return Session(
        Peer("192.0.2.1", 1),
        None,
        TABLE.get(row, NOT_ADMITTED),
        Offer(False, (), False),
        "hub-to-hub",
        identity=identity,
    )


@pytest.mark.parametrize(
    ("row", "identity", "may_relay"),
    [
        ("client-to-hub-smtp", ALICE, True),
        ("hub-to-hub", HUB, True),
        ("edge-to-hub", EDGE, False),  # an edge vouches for nobody: it brings strangers' mail
        ("internet-to-hub", NOBODY, False),
        ("", ALICE, False),
    ],
)
def test_who_may_relay(row: str, identity: Identity, may_relay: bool) -> None:
    assert session(row, identity).may_relay is may_relay


def test_a_client_that_no_row_admits_is_logged_under_the_doors_first() -> None:
    assert (session("", NOBODY).path, session("", NOBODY).logged_path) == ("", "hub-to-hub")
    assert session("internet-to-hub", NOBODY).logged_path == "internet-to-hub"
