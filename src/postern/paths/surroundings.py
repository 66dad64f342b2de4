"""Rows beyond the reference for the surroundings of our servers: the domain with its controllers, and the services that every
machine needs (names, time, an address, an administrator's shell, certificates, monitoring).

Their cells are worded in the reference's style. Ports of strangers and of the machine itself are real numbers; only those
that Postern's own servers listen on are shifted by the organization's offset.
"""

from __future__ import annotations

from postern.paths import ports
from postern.paths.declaration import own
from postern.paths.reference import LINES
from postern.paths.row import Need, Path

# fmt: off
DOMAIN: tuple[Path, ...] = (
    # id                       caller > callee                                 ports                   proven by   sealed by
    own("client-access-to-ad", "client-access > active-directory",             ports.AD,               "Kerberos", "Kerberos",
        name="Client Access to Active Directory", notes="as hubs and mailbox servers; the reference has no such row",
        cells={"ports": LINES["hub-to-ad"].cells.ports}, needs=Need.DOMAIN),
    own("client-to-kdc",       "client > active-directory",                    ports.CLIENT_OF_DOMAIN, "Kerberos", "Kerberos",
        name="Client of the domain to its domain controllers",
        notes="the tickets that clients show to our servers, and the names of both; names travel in clear text",
        needs=Need.DOMAIN),
    own("ad-replication",      "active-directory > active-directory",          ports.CONTROLLERS,      "Kerberos", "Kerberos",
        name="Domain controller to domain controller",
        notes="the domain's own: replication, updates of its zones, its SYSVOL", needs=Need.DOMAIN),
    own("setup-ad",            "any-server, administrator > active-directory", ports.SETUP_AD,         "Kerberos", "Kerberos",
        name="Administrator's tools to Active Directory",
        notes="with an administrator's own ticket, from a server of ours or from a host that is named as an administrator's",
        needs=Need.DOMAIN),
)

MACHINE: tuple[Path, ...] = (
    # id                       caller > callee                  ports             proven by      sealed by
    own("any-server-to-dns",   "any-server > name-server",      ports.DNS,        "Anonymous",   "never",
        name="Any server to its name servers"),
    own("any-server-to-kdc",   "any-server > active-directory", ports.KERBEROS,   "Kerberos",    "Kerberos",
        name="Any server to the realm's key distribution centres",
        notes="the reference has it for hubs and mailbox servers only, as a part of their access to Active Directory",
        needs=Need.REALM),
    own("metrics",             "monitor > any-server",          ports.METRICS,    "Anonymous",   "never",
        name="Monitoring reads a server's metrics",
        notes="counts only, no address and no subject; open to the organization's own servers where it is switched on",
        needs=Need.METRICS),
    own("acme",                "any-server > internet",         ports.HTTPS,      "Certificate", "TLS",
        name="Any server to its certificate authority (ACME)",
        notes="the account's key signs every request (RFC 8555); public addresses only, unless the administrator says otherwise",
        needs=Need.ACME),
    own("acme-challenge",      "internet > any-server",         ports.CHALLENGE,  "Anonymous",   "never",
        name="Certificate authority (ACME) to the server whose name it proves",
        notes="one page in clear text, which holds no secret (RFC 8555 section 8.3)", needs=Need.ACME),
    own("ssh",                 "administrator > any-server",    ports.SSH,        "Certificate", "SSH",
        name="Administrator to any server (SSH)", supported="Certificate, Kerberos",
        notes="the machine's own; a public key is a certificate here", machine=True),
    own("ntp",                 "any-server > time-server",      ports.NTP,        "Anonymous",   "never",
        name="Any server to its time servers", notes="Kerberos and certificates need the right time", machine=True),
    own("dhcp",                "any-server > neighbour",        ports.DHCP,       "Anonymous",   "never",
        name="Any server to a DHCP server", machine=True),
    own("neighbour-discovery", "neighbour > any-server",        ports.NEIGHBOURS, "Anonymous",   "never",
        name="Neighbour discovery, path MTU and echo",
        notes="only the types of RFC 4861, 2710 and 3810, echo, and the errors that path MTU discovery needs",
        machine=True),
)
# fmt: on
