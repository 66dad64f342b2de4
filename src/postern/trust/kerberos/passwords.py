"""Has a realm judge passwords: the password must get a ticket, and the ticket must open with our own keytab.

Without the second step, anyone who answers in place of the key distribution centre could let anybody in. Reads the keytab and
krb5.conf; libkrb5 itself finds and dials the centres (port 88, on the caller's row to the directory). Blocks in a bounded pool.
"""

from __future__ import annotations

import asyncio

from postern.model.directory import Account, DirectoryUnavailable
from postern.trust.kerberos.errors import KerberosCause, cause_of, report
from postern.trust.kerberos.library import gssapi, raw
from postern.trust.pool import Pool

_THREADS = 8
_PATIENCE = 15.0
"""Seconds for one password, in which libkrb5 goes through all centres."""
_ENTERPRISE = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2.6") if gssapi is not None else None
"""GSS_KRB5_NT_ENTERPRISE_NAME: a userPrincipalName, whatever its domain (RFC 6806 section 5)."""


class KerberosPasswords:
    """Judges passwords by a realm. `service` is a principal whose key is in `keytab` ("host/hub1.corp.test", without realm)."""

    def __init__(self, realm: str, keytab: str, service: str) -> None:
        self._realm = realm
        self._keytab = keytab
        self._service = f"{service}@{realm}"
        self._pool = Pool("kerberos", _THREADS)

    async def password(self, account: Account, password: str, address: str = "") -> bool:
        """Whether the password is right. Raises DirectoryUnavailable where the realm did not decide, and Overloaded."""
        if gssapi is None:
            raise DirectoryUnavailable("the extra postern[kerberos] is not installed")
        if not password or "\0" in password:
            return False
        try:
            secret = password.encode()
        except UnicodeEncodeError:
            return False
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._pool.run(lambda: self._judge(account.name, secret), account.name, address)
        except TimeoutError as error:
            raise DirectoryUnavailable("no key distribution centre answered in time") from error

    def close(self) -> None:
        self._pool.close()

    def _judge(self, name: str, secret: bytes) -> bool:
        principal = gssapi.NameType.kerberos_principal
        user = gssapi.Name(name, _ENTERPRISE) if "@" in name else gssapi.Name(f"{name}@{self._realm}", principal)
        try:
            got = raw.acquire_cred_with_password(user, secret, mechs=[gssapi.MechType.kerberos], usage="initiate")
        except gssapi.exceptions.GSSError as error:
            cause = cause_of(error.min_code, KerberosCause.UNREACHABLE)
            if cause is KerberosCause.WRONG:
                return False
            report(cause, error.min_code)
            raise DirectoryUnavailable(f"Kerberos: {cause}") from None
        try:
            ours = gssapi.Credentials(usage="accept", store={"keytab": self._keytab})
            accepting = gssapi.SecurityContext(creds=ours, usage="accept")
            service = gssapi.Name(self._service, principal)
            asking = gssapi.SecurityContext(creds=gssapi.Credentials(got.creds), name=service, usage="initiate")
            accepting.step(asking.step())
            return bool(accepting.complete)
        except gssapi.exceptions.GSSError as error:
            # The password may be right, but nothing proves that the centre belongs to the realm.
            report(cause_of(error.min_code, KerberosCause.KEYTAB), error.min_code)
            raise DirectoryUnavailable("the realm's ticket does not open with our keytab") from None
