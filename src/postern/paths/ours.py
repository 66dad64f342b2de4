"""Rows beyond the reference, marked as ours: what a whole organization also needs, and the paths that stand only in the
reference's notes (heartbeats, the open-proxy test, media, the redirect to workers, the recipient filter's look-up).

Their cells are worded in the reference's style. What a domain and every machine need stands in `surroundings`.
"""

from __future__ import annotations

from postern.paths import ports
from postern.paths.declaration import own
from postern.paths.row import Path
from postern.paths.surroundings import DOMAIN, MACHINE

# fmt: off
MAIL: tuple[Path, ...] = (
    # id                    caller > callee                  ports               proven by    sealed by
    own("internet-to-hub",  "internet > hub",                ports.SMTP,         "Anonymous", "TLS offered",
        name="Internet mail server to Hub Transport (no edge deployed)", notes="opportunistic TLS"),
    own("hub-to-internet",  "hub > internet",                ports.SMTP,         "Anonymous", "TLS offered",
        name="Hub Transport to Internet mail server or smart host (no edge deployed)",
        notes="by MX or smart host (whose port the send connector may name); TLS is always tried, never demanded"),
    own("recipient-filter", "edge, hub > private-directory", ports.LDAP,         "Basic",     "TLS",
        name="Recipient filter's look-up in the directory", supported="Basic, Kerberos",
        notes="the reference's notes: local on an edge; on a hub it is the hub's access to the directory"),
    own("dnsbl",            "edge, hub > name-server",       ports.DNS,          "Anonymous", "never",
        name="Connection filter to DNS block lists", notes="through the organization's name servers"),
    own("open-proxy-test",  "edge, hub > internet",          ports.OPEN_PROXIES, "Anonymous", "never",
        name="Sender reputation's open-proxy test",
        notes="the reference's notes: the protocol analysis agent dials the suspect sender"),
)

STORAGE: tuple[Path, ...] = (
    # id                        caller > callee                   ports              proven by    sealed by
    own("postgresql",           "mailbox > database",             ports.POSTGRESQL,  "Peer credentials, SCRAM-SHA-256", "TLS",
        name="Mailbox to its databases (PostgreSQL)",
        supported="Peer credentials, SCRAM-SHA-256, Kerberos, Certificate",
        notes="the private cluster listens on its socket only; a URL in the configuration names another",
        said={"encryption": "TLS, GSS"}),
    own("database-replication", "database > database",            ports.REPLICATION, "Kerberos, SCRAM-SHA-256", "TLS",
        name="Mailbox database to its standby (PostgreSQL streaming replication)",
        supported="Kerberos, SCRAM-SHA-256, Certificate", said={"encryption": "TLS, GSS"}),
    own("private-directory",    "any-server > private-directory", ports.LDAP,        "Basic",     "TLS",
        name="Any server to the private directory (slapd)", supported="Basic, Kerberos",
        notes="by default on its socket only, with a service password of 256 random bits; a URL names another"),
    own("cluster-heartbeat",    "mailbox > mailbox",              ports.HEARTBEAT,   "Kerberos",  "never",
        name="Cluster heartbeat between mailbox nodes",
        notes="the reference's notes: sequenced unicast datagrams; they carry no mail"),
)

CLIENTS: tuple[Path, ...] = (
    # id                  caller > callee                ports              proven by           sealed by
    own("mapi-over-http", "client > client-access",      ports.HTTPS,       "Negotiate, Basic", "TLS",
        name="MAPI over HTTP", supported="Negotiate, NTLM, Basic"),
    own("rtp",            "gateway > unified-messaging", ports.RTP,         "By IP address",    "never",
        name="Media between a gateway and Unified Messaging", notes="the reference: media is not encrypted"),
    own("sip-redirect",   "gateway > unified-messaging", ports.SIP_WORKERS, "By IP address",    "SIP over TLS offered",
        name="Gateway to the Unified Messaging worker it was redirected to",
        said={"encryption": "SIP over TLS (media is not encrypted)", "encrypted_by_default": "yes (SIP)"}),
)
# fmt: on

OURS: tuple[Path, ...] = MAIL + STORAGE + CLIENTS + DOMAIN + MACHINE
