"""Rows beyond the reference, marked as ours: paths that a whole organization needs besides, and paths that stand only in the
reference's notes (heartbeats, the open-proxy test, media, the redirect to workers, the recipient filter's look-up).

Their cells are worded in the reference's style. `surroundings` has the rows that a domain and every machine need.
"""

from __future__ import annotations

from postern.paths import ports, profiles
from postern.paths.declaration import own
from postern.paths.row import Need, Path
from postern.paths.surroundings import DOMAIN, MACHINE

_UM = "the unified messaging role"
_REPLICATION = "database replication"

# fmt: off
MAIL: tuple[Path, ...] = (
    # id                    caller > callee                  ports               proven by    sealed by
    own("internet-to-hub",  "internet > hub",                ports.SMTP,         "Anonymous", "TLS offered",
        name="Internet mail server to Hub Transport (no edge deployed)", notes="opportunistic TLS", needs=Need.NO_EDGE,
        strangers=True),
    own("hub-to-internet",  "hub > internet",                ports.SMTP,         "Anonymous", "TLS offered",
        name="Hub Transport to Internet mail server or smart host (no edge deployed)",
        notes="by MX or smart host (whose port the send connector may name); TLS is always tried, never demanded",
        needs=Need.NO_EDGE),
    own("recipient-filter", "edge, hub > private-directory", ports.LDAP,         "Basic",     "TLS",
        name="Recipient filter's look-up in the directory", supported="Basic, Kerberos",
        notes="the reference's notes: local on an edge; on a hub it is the hub's access to the directory",
        needs=Need.FILTERS, random_secret=True),
    own("dnsbl",            "edge, hub > name-server",       ports.DNS,          "Anonymous", "never",
        name="Connection filter to DNS block lists", notes="through the organization's name servers", needs=Need.FILTERS),
    own("open-proxy-test",  "edge, hub > internet",          ports.OPEN_PROXIES, "Anonymous", "never",
        name="Sender reputation's open-proxy test",
        notes="the reference's notes: the protocol analysis agent dials the suspect sender",
        waits_for="sender reputation"),
)

STORAGE: tuple[Path, ...] = (
    # id                        caller > callee                   ports              proven by    sealed by
    own("postgresql",           "mailbox > database",             ports.POSTGRESQL,  "Peer credentials, SCRAM-SHA-256", "TLS",
        name="Mailbox to its databases (PostgreSQL)", supported="Peer credentials, SCRAM-SHA-256, Kerberos, Certificate",
        notes="the private cluster listens on its socket only; a URL in the configuration names another",
        cells={"encryption": "TLS, GSS"}, needs=Need.DATABASE_URL),
    own("database-replication", "database > database",            ports.REPLICATION, "Kerberos, SCRAM-SHA-256", "TLS",
        name="Mailbox database to its standby (PostgreSQL streaming replication)",
        supported="Kerberos, SCRAM-SHA-256, Certificate", cells={"encryption": "TLS, GSS"}, waits_for=_REPLICATION),
    own("private-directory",    "any-server > private-directory", ports.LDAP,        "Basic",     "TLS",
        name="Any server to the private directory (slapd)", supported="Basic, Kerberos",
        notes="by default on its socket only, with a service password of 256 random bits; a URL names another",
        needs=Need.DIRECTORY_URL, random_secret=True),
    own("cluster-heartbeat",    "mailbox > mailbox",              ports.HEARTBEAT,   "Kerberos",  "never",
        name="Cluster heartbeat between mailbox nodes",
        notes="the reference's notes: sequenced unicast datagrams; they carry no mail", waits_for=_REPLICATION),
)

CLIENTS: tuple[Path, ...] = (
    # id                        caller > callee                ports              proven by           sealed by
    own("client-configuration", "client > client-access",      ports.WEB,         "Anonymous",        "TLS offered",
        name="Mail client that looks for its servers",
        notes="names of servers and ports, never of people: Thunderbird's autoconfig, Apple's profiles, the redirects to DAV"),
    own("ews-notification",     "client-access > internet",    ports.WEB,         "Anonymous",        "TLS offered",
        name="Client Access to subscribers of notifications (Exchange Web Services)",
        notes="to the URL that the subscriber names: HTTPS with a valid certificate, and public addresses, unless configured",
        needs=Need.PUSH),
    own("availability-to-organization", "client-access > internet", ports.HTTPS, "Basic", "TLS",
        name="Client Access to the availability service of another organization",
        notes="by the URL and the account that postern.toml has for the domain; the certificate must be valid",
        needs=Need.AVAILABILITY),
    own("caldav",               "client > client-access",      ports.HTTPS,       "Negotiate, Basic", "TLS",
        name="CalDAV", notes="calendars, tasks and documents (RFC 4791, RFC 4918)",
        hardened=(profiles.DAV_CERTIFICATE,)),
    own("carddav",              "client > client-access",      ports.HTTPS,       "Negotiate, Basic", "TLS",
        name="CardDAV", notes="contacts (RFC 6352)",
        hardened=(profiles.DAV_CERTIFICATE,)),
    own("mapi-over-http",       "client > client-access",      ports.HTTPS,       "Negotiate, Basic", "TLS",
        name="MAPI over HTTP", supported="Negotiate, NTLM, Basic", waits_for="the web services of client access"),
    own("rtp",                  "gateway > unified-messaging", ports.RTP,         "By IP address",    "never",
        name="Media between a gateway and Unified Messaging", notes="the reference: media is not encrypted",
        waits_for=_UM),
    own("sip-redirect",         "gateway > unified-messaging", ports.SIP_WORKERS, "By IP address",    "SIP over TLS offered",
        name="Gateway to the Unified Messaging worker it was redirected to",
        cells={"encryption": "SIP over TLS (media is not encrypted)", "encrypted_by_default": "yes (SIP)"}, waits_for=_UM,
        hardened=(profiles.GATEWAY_CERTIFICATE,)),
)
# fmt: on

OURS: tuple[Path, ...] = MAIL + STORAGE + CLIENTS + DOMAIN + MACHINE
