"""The reference's table "Client Access server data paths": 14 rows. Their words stand in `data-paths.tsv`.

How the cells were read. "443/TCP (SSL)" is TLS from the first byte; 80 is there to send a browser to 443. "Encrypted by
default: no" where the row has a TLS port all the same (outlook-oab-web, cas-to-legacy-mailbox) is `OFFERED`; every other row
is `REQUIRED`. "Integrated Windows (Negotiate)" and "Negotiate (Kerberos)" are the HTTP scheme Negotiate, which tries Kerberos,
then NTLM where the row lists NTLM. "POP/IMAP plain text" to a legacy mailbox server is Basic. "NTLM (v2 only)" is NTLM: no other
version exists here. "RPC, many ports" is the endpoint mapper and the dynamic range.
"""

from __future__ import annotations

from postern.paths import ports
from postern.paths.declaration import row
from postern.paths.row import Path

# fmt: off
CLIENT_ACCESS: tuple[Path, ...] = (
    # id                         caller > callee                      ports        proven by                sealed by
    row("autodiscover",          "client > client-access",            ports.WEB,   "Basic, Negotiate",      "TLS",
        supported="Basic, Digest, NTLM, Negotiate"),
    row("availability",          "client > client-access",            ports.WEB,   "NTLM, Kerberos",        "TLS"),
    row("owa",                   "client > client-access",            ports.WEB,   "Forms",                 "TLS",
        supported="Basic, Digest, Forms, NTLM, Kerberos, Certificate"),
    row("pop3",                  "client > client-access",            ports.POP3,  "Basic, NTLM, Kerberos", "TLS"),
    row("imap4",                 "client > client-access",            ports.IMAP4, "Basic, NTLM, Kerberos", "TLS"),
    row("outlook-anywhere",      "client > client-access",            ports.WEB,   "Basic",                 "TLS",
        supported="Basic, NTLM"),
    row("activesync",            "client > client-access",            ports.WEB,   "Basic",                 "TLS",
        supported="Basic, Certificate"),
    row("cas-to-um",             "client-access > unified-messaging", ports.SIP,   "By IP address",         "SIP over TLS"),
    row("cas-to-legacy-mailbox", "client-access > legacy-mailbox",    ports.WEB,   "NTLM, Kerberos",        "IPsec offered",
        supported="Negotiate, Kerberos, NTLM, Basic"),
    row("cas-to-mailbox",        "client-access > mailbox",           ports.RPC,   "Kerberos",              "RPC privacy",
        supported="NTLM, Kerberos"),
    row("cas-to-cas-activesync", "client-access > client-access",     ports.WEB,   "Kerberos",              "TLS",
        supported="Kerberos, Certificate"),
    row("cas-to-cas-owa",        "client-access > client-access",     ports.WEB,   "Kerberos",              "TLS"),
    row("cas-webdav",            "client > client-access",            ports.WEB,   "Basic, Forms",          "TLS"),
    row("outlook-oab-web",       "client > client-access",            ports.WEB,   "NTLM, Kerberos",        "TLS offered"),
)
# fmt: on
