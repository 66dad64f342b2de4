"""Why a mechanism that a row lists cannot be there now: no realm, or no administrator has enabled it. Pure."""

from __future__ import annotations

from postern.model.organization import Organization
from postern.model.security import Mechanism
from postern.trust.kerberos.library import AVAILABLE


def no_realm(organization: Organization) -> str:
    """Why there is no Kerberos; "" if there is."""
    if not organization.realm:
        return "no realm"
    return "" if AVAILABLE else "the extra postern[kerberos] is not installed"


def waiting_mechanisms(organization: Organization, enabled: frozenset[Mechanism]) -> dict[Mechanism, str]:
    """Mechanisms that users cannot have now, with the reason. `enabled` are those an administrator has switched on for users."""
    waiting = {}
    if reason := no_realm(organization):
        waiting[Mechanism.KERBEROS] = reason
    if organization.active_directory is not None:
        waiting[Mechanism.SCRAM] = "Active Directory keeps no SCRAM verifiers"  # and NTLM is the domain's own
    else:
        for mechanism, name in ((Mechanism.NTLM, "ntlm"), (Mechanism.SCRAM, "scram")):
            if mechanism not in enabled:
                waiting[mechanism] = f"not enabled (postern domain auth enable {name})"
    for mechanism in (Mechanism.CERTIFICATE, Mechanism.DIRECT_TRUST):
        waiting[mechanism] = "no client certificates are registered"
    return waiting
