"""The reference's table "Client Access server data paths": 14 rows. Their cells stand in `data-paths.tsv`.

How the cells were read. "443/TCP (SSL)" is TLS from the first byte; 80 is there to send a browser to 443. "Encrypted by
default: no" where the row has a TLS port all the same (outlook-oab-web, cas-to-legacy-mailbox) is `OFFERED`; every other row
is `REQUIRED`. "Integrated Windows (Negotiate)" and "Negotiate (Kerberos)" are the HTTP scheme Negotiate, which tries Kerberos,
then NTLM where the row lists NTLM. "POP/IMAP plain text" to a legacy mailbox server is Basic. "NTLM (v2 only)" is NTLM: no other
version exists here. "RPC, many ports" is the endpoint mapper and the dynamic range.
"""

from __future__ import annotations

from postern.paths import ports, profiles
from postern.paths.declaration import row
from postern.paths.row import Path

_WEB = "the web services of client access"

# fmt: off
CLIENT_ACCESS: tuple[Path, ...] = (
    # id                         caller > callee                      ports        proven by                sealed by
    row("autodiscover",          "client > client-access",            ports.WEB,   "Basic, Negotiate",      "TLS",
        supported="Basic, Digest, NTLM, Negotiate"),
    row("availability",          "client > client-access",            ports.WEB,   "NTLM, Kerberos",        "TLS",
        remark="all of Exchange Web Services (/EWS/Exchange.asmx), of which free/busy is a part",
        practical=(profiles.EWS_PASSWORDS,)),
    row("owa",                   "client > client-access",            ports.WEB,   "Forms",                 "TLS",
        supported="Basic, Digest, Forms, NTLM, Kerberos, Certificate", waits_for=_WEB),
    row("pop3",                  "client > client-access",            ports.POP3,  "Basic, NTLM, Kerberos", "TLS",
        practical=(profiles.SCRAM,)),
    row("imap4",                 "client > client-access",            ports.IMAP4, "Basic, NTLM, Kerberos", "TLS",
        practical=(profiles.SCRAM,)),
    row("outlook-anywhere",      "client > client-access",            ports.WEB,   "Basic",                 "TLS",
        supported="Basic, NTLM", waits_for=_WEB, hardened=(profiles.OUTLOOK_NEGOTIATE,)),
    row("activesync",            "client > client-access",            ports.WEB,   "Basic",                 "TLS",
        supported="Basic, Certificate", waits_for=_WEB, hardened=(profiles.PHONE_CERTIFICATE,)),
    row("cas-to-um",             "client-access > unified-messaging", ports.SIP,   "By IP address",         "SIP over TLS",
        waits_for="the unified messaging role"),
    row("cas-to-legacy-mailbox", "client-access > legacy-mailbox",    ports.WEB,   "NTLM, Kerberos",        "IPsec offered",
        supported="Negotiate, Kerberos, NTLM, Basic", waits_for="coexistence with earlier versions",
        practical=(profiles.LEGACY_HTTPS,)),
    row("cas-to-mailbox",        "client-access > mailbox",           ports.RPC,   "Kerberos",              "RPC privacy",
        supported="NTLM, Kerberos", practical=(profiles.LOCAL_RPC,)),
    row("cas-to-cas-activesync", "client-access > client-access",     ports.WEB,   "Kerberos",              "TLS",
        supported="Kerberos, Certificate", waits_for=_WEB),
    row("cas-to-cas-owa",        "client-access > client-access",     ports.WEB,   "Kerberos",              "TLS",
        waits_for=_WEB),
    row("cas-webdav",            "client > client-access",            ports.WEB,   "Basic, Forms",          "TLS",
        waits_for=_WEB, hardened=(profiles.WEBDAV_NEGOTIATE,)),
    row("outlook-oab-web",       "client > client-access",            ports.WEB,   "NTLM, Kerberos",        "TLS offered",
        waits_for=_WEB, practical=(profiles.ADDRESS_BOOK_HTTPS,)),
)
# fmt: on
