"""Which mechanism a caller of a row proves itself with: the one rule for all RPC.

The reference says it in three places. Most rows list "NTLM, Kerberos", and its notes on the mailbox server say which of them is
used: a service that runs as Local System, by the machine's account, always Kerberos; a person who runs a command, NTLM. A row
between mailbox and hub says in its own cell that the host decides: NTLM, and Kerberos when both roles share a server. Every other
row means its first mechanism.
"""

from __future__ import annotations

from postern.model.security import Mechanism, PrincipalKind
from postern.paths.row import Path

_EITHER = frozenset({Mechanism.NTLM, Mechanism.KERBEROS})


def proofs(row: Path, kind: PrincipalKind, same_host: bool = False) -> tuple[Mechanism, ...]:
    """The row's mechanisms in the order in which a caller of this kind tries them. A later one counts where there is nothing to
    prove an earlier one with: no keytab, or no key distribution centre that answers."""
    first = row.default_auth[0]
    if row.host_decides:
        first = row.default_auth[-1] if same_host else first
    elif first in _EITHER and _EITHER.issubset(row.supported_auth) and kind is PrincipalKind.SERVER:
        first = Mechanism.KERBEROS
    return tuple(dict.fromkeys((first, *row.default_auth, *row.supported_auth)))
