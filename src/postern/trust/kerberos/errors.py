"""Finds the cause of a Kerberos error: the caller, this host, or the key distribution centre.

Reads libkrb5's minor codes (RFC 4120 section 7.5.9 and MIT's own); names no principal and no key.
"""

from __future__ import annotations

from enum import StrEnum

from postern.telemetry.log import Event, log

_BASE = -1765328384
"""ERROR_TABLE_BASE_krb5, from which the numbers of RFC 4120 are counted."""


class KerberosCause(StrEnum):
    WRONG = "wrong"
    """The caller's name, secret or ticket is wrong, and waiting changes nothing."""
    CLOCK = "clock"
    """Clocks differ by more than the realm allows."""
    KEYTAB = "keytab"
    """Our keytab lacks the key that the ticket was made for."""
    UNREACHABLE = "unreachable"
    """No key distribution centre answers, or it cannot just now."""


_BY_NUMBER = {
    1: KerberosCause.WRONG,  # KDC_ERR_NAME_EXP
    6: KerberosCause.WRONG,  # KDC_ERR_C_PRINCIPAL_UNKNOWN
    7: KerberosCause.KEYTAB,  # KDC_ERR_S_PRINCIPAL_UNKNOWN: ourselves, or the server that was named
    12: KerberosCause.WRONG,  # KDC_ERR_POLICY: not at this hour, not from here
    18: KerberosCause.WRONG,  # KDC_ERR_CLIENT_REVOKED: disabled, locked, expired
    23: KerberosCause.WRONG,  # KDC_ERR_KEY_EXPIRED: the password must be changed
    24: KerberosCause.WRONG,  # KDC_ERR_PREAUTH_FAILED
    29: KerberosCause.UNREACHABLE,  # KDC_ERR_SVC_UNAVAILABLE
    31: KerberosCause.WRONG,  # KRB_AP_ERR_BAD_INTEGRITY
    33: KerberosCause.CLOCK,  # KRB_AP_ERR_TKT_NYV: our clock is behind the centre's
    35: KerberosCause.KEYTAB,  # KRB_AP_ERR_NOT_US
    37: KerberosCause.CLOCK,  # KRB_AP_ERR_SKEW
    44: KerberosCause.KEYTAB,  # KRB_AP_ERR_BADKEYVER
    45: KerberosCause.KEYTAB,  # KRB_AP_ERR_NOKEY
    # The numbers below are MIT's own.
    144: KerberosCause.KEYTAB,  # KRB5KRB_AP_WRONG_PRINC: no key of ours opens the ticket
    148: KerberosCause.CLOCK,  # KRB5_KDCREP_SKEW
    154: KerberosCause.UNREACHABLE,  # KRB5_REALM_UNKNOWN
    156: KerberosCause.UNREACHABLE,  # KRB5_KDC_UNREACH
    181: KerberosCause.KEYTAB,  # KRB5_KT_NOTFOUND
    210: KerberosCause.WRONG,  # KRB5_PREAUTH_FAILED
    230: KerberosCause.KEYTAB,  # KRB5_KT_KVNONOTFOUND
}
_ERRNO = {2: KerberosCause.KEYTAB, 13: KerberosCause.KEYTAB}
"""ENOENT and EACCES: the keytab cannot be read."""


def cause_of(minor: int, otherwise: KerberosCause) -> KerberosCause:
    """Returns the cause of `minor` (GSSError.min_code, signed or not); `otherwise` for codes that are not listed here."""
    signed = minor - (1 << 32) if minor >= 1 << 31 else minor
    return _ERRNO.get(signed) or _BY_NUMBER.get(signed - _BASE, otherwise)


def report(cause: KerberosCause, minor: int, path: str = "") -> None:
    """Logs an error whose cause is not the caller."""
    if cause is not KerberosCause.WRONG:
        log(Event.KERBEROS_FAILED, cause=str(cause), code=minor, **({"path": path} if path else {}))
