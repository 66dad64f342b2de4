"""Finds the mechanisms of rows that cannot be there now: there is no realm, or no administrator has enabled them. Pure."""

from __future__ import annotations

from postern.model.organization import Organization
from postern.model.security import Mechanism
from postern.trust.kerberos.library import AVAILABLE


def no_realm(organization: Organization) -> str:
    """The reason why there is no Kerberos; "" if there is."""
    if not organization.realm:
        return "no realm"
    return "" if AVAILABLE else "the extra postern[kerberos] is not installed"


def waiting_mechanisms(organization: Organization, enabled: frozenset[Mechanism]) -> dict[Mechanism, str]:
    """Mechanisms that users cannot have now, with the reason. `enabled` are those that an administrator enabled for users."""
    waiting = {}
    if reason := no_realm(organization):
        waiting[Mechanism.KERBEROS] = reason
    if organization.active_directory is not None:
        waiting[Mechanism.SCRAM] = "Active Directory keeps no SCRAM verifiers"  # and the domain always has NTLM
    else:
        for mechanism, name in ((Mechanism.NTLM, "ntlm"), (Mechanism.SCRAM, "scram")):
            if mechanism not in enabled:
                waiting[mechanism] = f"not enabled (postern domain auth enable {name})"
    for mechanism in (Mechanism.CERTIFICATE, Mechanism.DIRECT_TRUST):
        waiting[mechanism] = "no client certificates are registered"
    return waiting
