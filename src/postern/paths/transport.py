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

from postern.paths import ports, profiles
from postern.paths.declaration import row
from postern.paths.row import Need, Path

# fmt: off
TRANSPORT: tuple[Path, ...] = (
    # id                             caller > callee            ports               proven by                 sealed by
    row("hub-to-hub",                "hub > hub",               ports.SMTP,         "Kerberos",               "TLS"),
    row("hub-to-edge",               "hub > edge",              ports.SMTP,         "Direct trust",           "TLS",
        needs=Need.EDGE),
    row("edge-to-hub",               "edge > hub",              ports.SMTP,         "Direct trust",           "TLS",
        needs=Need.EDGE, strangers=True),
    row("edge-to-edge",              "internet > edge",         ports.EDGE_TO_EDGE, "Anonymous, Certificate", "TLS offered",
        needs=Need.EDGE, strangers=True),
    row("mailbox-to-hub-submission", "mailbox > hub",           ports.RPC,          "NTLM, Kerberos",         "RPC privacy",
        host_decides=True, practical=(profiles.LOCAL_RPC,)),
    row("hub-to-mailbox-mapi",       "hub > mailbox",           ports.RPC,          "NTLM, Kerberos",         "RPC privacy",
        host_decides=True, practical=(profiles.LOCAL_RPC,)),
    row("um-to-hub",                 "unified-messaging > hub", ports.SMTP,         "Kerberos",               "TLS",
        waits_for="the unified messaging role"),
    row("edgesync",                  "hub > edge",              ports.EDGESYNC,     "Basic",                  "LDAPS",
        needs=Need.EDGE, random_secret=True, practical=(profiles.NO_CLEAR_LDAP,)),
    row("edge-adam",                 "edge > edge",             ports.ADAM,         "NTLM, Kerberos",         "never",
        needs=Need.EDGE, practical=(profiles.LDAP_TLS, profiles.LOCAL_LDAP)),
    row("hub-to-ad",                 "hub > active-directory",  ports.AD,           "Kerberos",               "Kerberos",
        needs=Need.DOMAIN),
    row("client-to-hub-smtp",        "client > hub",            ports.SUBMISSION,   "NTLM, Kerberos",         "TLS",
        practical=(profiles.PASSWORDS, profiles.TLS_FROM_THE_FIRST_BYTE, profiles.SCRAM)),
)
# fmt: on
