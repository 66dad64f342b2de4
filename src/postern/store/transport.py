"""Asks the mailbox database which transport and authentication a connection really uses, for `paths observed`."""

from __future__ import annotations

from dataclasses import dataclass

from postern.model.security import Mechanism, Seal
from postern.store.connection import Pool

LOCAL = "local"

_ASK = """
SELECT host(inet_server_addr()), ssl.ssl, ssl.version, ssl.cipher, ssl.client_dn, gss.gss_authenticated, gss.encrypted
  FROM (SELECT pg_backend_pid() AS pid) AS own
  LEFT JOIN pg_stat_ssl AS ssl USING (pid) LEFT JOIN pg_stat_gssapi AS gss USING (pid)
"""


@dataclass(frozen=True, slots=True)
class Transport:
    """The transport of a connection. `peer` is the server's address, LOCAL for a unix socket."""

    peer: str
    mechanism: Mechanism
    seal: Seal | None


async def transport(pool: Pool) -> Transport:
    """Returns the transport of the pool's connections, which are all made alike. Raises MailboxError."""
    [row] = await pool.run(_ASK)
    address, version, cipher, client = (_text(row[place]) for place in (0, 2, 3, 4))
    tls, by_ticket, by_kerberos = (row[place] == b"\x01" for place in (1, 5, 6))
    if not address:
        return Transport(LOCAL, Mechanism.PEER, Seal("local", "unix"))
    if by_ticket:
        mechanism = Mechanism.KERBEROS
    else:
        # Only these two remain of what the row supports; the server does not say which method asked for a password.
        mechanism = Mechanism.CERTIFICATE if client else Mechanism.SCRAM
    if tls:
        return Transport(address, mechanism, Seal(version, cipher))
    return Transport(address, mechanism, Seal("GSS", "Kerberos") if by_kerberos else None)


def _text(value: bytes | None) -> str:
    return (value or b"").decode()
