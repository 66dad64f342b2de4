"""The reference's table "Unified Messaging server data paths": 5 rows. Their cells stand in `data-paths.tsv`.

How the cells were read. 5061 is mutual TLS from the first byte, 5060 and 5062 are read as plain TCP, and a worker listens on the
dynamic port. "Yes (SIP)" for gateways is `OFFERED`: the reference itself says that a gateway known by its address talks over
TCP that is not encrypted; media never is. A gateway also receives calls (play on phone), so um-phone's 5060 and 5061 stand at
both ends. "25/TCP (SSL)" of um-submission is the same STARTTLS as um-to-hub's. Gateways never prove themselves by NTLM or
Kerberos; the certificate that the notes allow them is no cell of the table, so only `hardened` has it.
"""

from __future__ import annotations

from postern.paths import ports, profiles
from postern.paths.declaration import row
from postern.paths.row import Path

_UM = "the unified messaging role"

# fmt: off
UNIFIED_MESSAGING: tuple[Path, ...] = (
    # id                  caller > callee                              ports           proven by         sealed by
    row("um-fax",         "gateway > unified-messaging",               ports.SIP,      "By IP address",  "SIP over TLS offered",
        waits_for=_UM, hardened=(profiles.GATEWAY_CERTIFICATE,)),
    row("um-phone",       "gateway > unified-messaging",               ports.SIP_BOTH, "By IP address",  "SIP over TLS offered",
        waits_for=_UM, hardened=(profiles.GATEWAY_CERTIFICATE,)),
    row("um-web-service", "client, client-access > unified-messaging", ports.WEB,      "Negotiate",      "TLS",
        supported="Basic, Digest, NTLM, Negotiate", waits_for=_UM),
    row("um-submission",  "unified-messaging > hub",                   ports.SMTP_SSL, "Kerberos",       "TLS",
        waits_for=_UM),
    row("um-to-mailbox",  "unified-messaging > mailbox",               ports.RPC,      "NTLM, Kerberos", "RPC privacy",
        waits_for=_UM),
)
# fmt: on
