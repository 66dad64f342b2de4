"""Begins exchanges of authentication in RPC's auth trailers (MS-RPCE 2.2.2.11), and maps their numbers to mechanisms.

Every exchange goes on to sign and seal the calls that follow it, so its keys must be strong.
"""

from __future__ import annotations

from postern.model.security import Mechanism, Peer, PrincipalKind
from postern.protocols.dcerpc.protection import AuthType
from postern.trust.acceptor import SERVERS, Asking
from postern.trust.authenticator import Authenticator
from postern.trust.exchanges import ContextExchange

MECHANISMS: dict[int, Mechanism] = {
    AuthType.NTLM: Mechanism.NTLM,
    AuthType.KERBEROS: Mechanism.KERBEROS,
    AuthType.SPNEGO: Mechanism.NEGOTIATE,
}


def begin(
    authenticator: Authenticator, auth_type: int, peer: Peer, callers: frozenset[PrincipalKind] = SERVERS
) -> ContextExchange | None:
    """Begins an exchange with a caller of one of these kinds; returns None for a mechanism that cannot be verified here.
    Negotiate chooses its mechanism in the exchange; the row judges the choice afterwards."""
    mechanism = MECHANISMS.get(auth_type)
    return authenticator.begin(mechanism, Asking(peer, callers=callers, seals=True)) if mechanism is not None else None
