"""What a Kerberos error comes to: the caller's fault, or something of ours or of the key distribution centre.

Reads libkrb5's minor codes (RFC 4120 section 7.5.9 and MIT's own); names no principal and no key.
"""

from __future__ import annotations

from enum import StrEnum

from postern.telemetry.log import Event, log

_BASE = -1765328384
"""ERROR_TABLE_BASE_krb5: RFC 4120's numbers are counted from here."""


class Cause(StrEnum):
    WRONG = "wrong"
    """The caller's name, secret or ticket is none: nothing of it changes by waiting."""
    CLOCK = "clock"
    """Clocks differ by more than the realm allows."""
    KEYTAB = "keytab"
    """Our keytab lacks the key that the ticket was made for."""
    UNREACHABLE = "unreachable"
    """No key distribution centre answers, or it cannot just now."""


_BY_NUMBER = {
    1: Cause.WRONG,  # KDC_ERR_NAME_EXP
    6: Cause.WRONG,  # KDC_ERR_C_PRINCIPAL_UNKNOWN
    7: Cause.KEYTAB,  # KDC_ERR_S_PRINCIPAL_UNKNOWN: of ourselves, or of the server that was named
    12: Cause.WRONG,  # KDC_ERR_POLICY: not at this hour, not from here
    18: Cause.WRONG,  # KDC_ERR_CLIENT_REVOKED: disabled, locked, expired
    23: Cause.WRONG,  # KDC_ERR_KEY_EXPIRED: the password must be changed
    24: Cause.WRONG,  # KDC_ERR_PREAUTH_FAILED
    29: Cause.UNREACHABLE,  # KDC_ERR_SVC_UNAVAILABLE
    31: Cause.WRONG,  # KRB_AP_ERR_BAD_INTEGRITY
    33: Cause.CLOCK,  # KRB_AP_ERR_TKT_NYV: our clock is behind the centre's
    35: Cause.KEYTAB,  # KRB_AP_ERR_NOT_US
    37: Cause.CLOCK,  # KRB_AP_ERR_SKEW
    44: Cause.KEYTAB,  # KRB_AP_ERR_BADKEYVER
    45: Cause.KEYTAB,  # KRB_AP_ERR_NOKEY
    # MIT's own from here.
    144: Cause.KEYTAB,  # KRB5KRB_AP_WRONG_PRINC: no key of ours opens the ticket
    148: Cause.CLOCK,  # KRB5_KDCREP_SKEW
    154: Cause.UNREACHABLE,  # KRB5_REALM_UNKNOWN
    156: Cause.UNREACHABLE,  # KRB5_KDC_UNREACH
    181: Cause.KEYTAB,  # KRB5_KT_NOTFOUND
    210: Cause.WRONG,  # KRB5_PREAUTH_FAILED
    230: Cause.KEYTAB,  # KRB5_KT_KVNONOTFOUND
}
_ERRNO = {2: Cause.KEYTAB, 13: Cause.KEYTAB}
"""ENOENT and EACCES: the keytab cannot be read."""


def cause_of(minor: int, otherwise: Cause) -> Cause:
    """`minor` is GSSError.min_code, signed or not; `otherwise` is for codes that say nothing here."""
    signed = minor - (1 << 32) if minor >= 1 << 31 else minor
    return _ERRNO.get(signed) or _BY_NUMBER.get(signed - _BASE, otherwise)


def report(cause: Cause, minor: int, path: str = "") -> None:
    """Logs what is not the caller's fault."""
    if cause is not Cause.WRONG:
        log(Event.KERBEROS_FAILED, cause=str(cause), code=minor, **({"path": path} if path else {}))
