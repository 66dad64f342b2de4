"""The reference's table "Transport server data paths": 11 rows. Their words stand in `data-paths.tsv`.

How the cells were read. "25/TCP (TLS)" is STARTTLS (`Tls.UPGRADE`); "50636/TCP (SSL)" is TLS from the first byte.
"Encrypted by default: yes" is `REQUIRED` between our servers and for end users; edge-to-edge is traffic between strangers,
so there it is `OFFERED`: TLS is tried on every remote connection and demanded on none. "NTLM; Kerberos when both roles share
a server" is read as the order (NTLM, Kerberos): the first is what a caller on another host tries, the second what one on the same
host tries. "135/TCP (RPC)" is the endpoint mapper and the port of the dynamic range that it names. The ports 389 and 80 of
edge-to-edge serve "certificate authentication": an edge asks *another's* directory or web server whether a certificate is
revoked, so they stand at the caller's end and are never opened on our edge.
"""

from __future__ import annotations

from postern.paths import ports
from postern.paths.declaration import row
from postern.paths.row import Path

# fmt: off
TRANSPORT: tuple[Path, ...] = (
    # id                             caller > callee            ports               proven by                 sealed by
    row("hub-to-hub",                "hub > hub",               ports.SMTP,         "Kerberos",               "TLS"),
    row("hub-to-edge",               "hub > edge",              ports.SMTP,         "Direct trust",           "TLS"),
    row("edge-to-hub",               "edge > hub",              ports.SMTP,         "Direct trust",           "TLS"),
    row("edge-to-edge",              "internet > edge",         ports.EDGE_TO_EDGE, "Anonymous, Certificate", "TLS offered"),
    row("mailbox-to-hub-submission", "mailbox > hub",           ports.RPC,          "NTLM, Kerberos",         "RPC privacy"),
    row("hub-to-mailbox-mapi",       "hub > mailbox",           ports.RPC,          "NTLM, Kerberos",         "RPC privacy"),
    row("um-to-hub",                 "unified-messaging > hub", ports.SMTP,         "Kerberos",               "TLS"),
    row("edgesync",                  "hub > edge",              ports.EDGESYNC,     "Basic",                  "LDAPS"),
    row("edge-adam",                 "edge > edge",             ports.ADAM,         "NTLM, Kerberos",         "never"),
    row("hub-to-ad",                 "hub > active-directory",  ports.AD,           "Kerberos",               "Kerberos"),
    row("client-to-hub-smtp",        "client > hub",            ports.SUBMISSION,   "NTLM, Kerberos",         "TLS"),
)
# fmt: on
