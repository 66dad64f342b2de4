"""The reference's table "Mailbox server data paths": 22 rows. Their cells stand in `data-paths.tsv`.

How the cells were read. Encryption "IPsec" with "no" by default is `NEVER`: IPsec lies below the program, which itself sends
clear text on these rows under `reference`. "none" is `NEVER` too. "NTLM, Kerberos" keeps the reference's order; the account of a
process decides which one it really uses (Local System: Kerberos; a user: NTLM). "Random port" is a port of the organization's
dynamic range. "SMB (local)" never leaves the host. The caller, which the reference often leaves unsaid, is the one its
notes describe: Local System consumers are mailbox servers; an administrator makes backups and edits the registry. The Active
Directory Topology service runs on every server of the domain and is asked by that server's own services, so its ports are local.
"""

from __future__ import annotations

from postern.paths import ports, profiles
from postern.paths.declaration import row
from postern.paths.row import Need, Path

_REPLICATION = "database replication"
_ADMINISTRATION = "remote administration"
_ATTENDANT = "the system attendant's legacy interfaces"

# fmt: off
MAILBOX: tuple[Path, ...] = (
    # id                           caller > callee                    ports            proven by                 sealed by
    row("log-shipping",            "mailbox > mailbox",               ports.SMB,       "NTLM, Kerberos",         "IPsec never",
        waits_for=_REPLICATION, practical=(profiles.SMB_ENCRYPTION,)),
    row("seeding",                 "mailbox > mailbox",               ports.RANDOM,    "NTLM, Kerberos",         "IPsec never",
        waits_for=_REPLICATION, practical=(profiles.DATABASE_TLS,)),
    row("vss-backup",              "mailbox > mailbox",               ports.LOCAL_SMB, "NTLM, Kerberos",         "never",
        waits_for="backup"),
    row("legacy-backup",           "administrator > mailbox",         ports.RANDOM,    "NTLM, Kerberos",         "IPsec never",
        waits_for="backup", practical=(profiles.DATABASE_TLS,)),
    row("clustering",              "mailbox > mailbox",               ports.CLUSTER,   "NTLM, Kerberos",         "IPsec never",
        waits_for=_REPLICATION, practical=(profiles.CLUSTER_PRIVACY,)),
    row("mapi-access",             "client > mailbox",                ports.RPC,       "NTLM, Kerberos",         "RPC privacy",
        waits_for="MAPI (EMSMDB and NSPI)"),
    row("mailbox-assistants",      "mailbox > mailbox",               ports.RPC,       "NTLM, Kerberos",         "never",
        practical=(profiles.RPC_PRIVACY, profiles.LOCAL_RPC)),
    row("availability-to-mailbox", "client-access > mailbox",         ports.RPC,       "NTLM, Kerberos",         "RPC privacy",
        practical=(profiles.LOCAL_RPC,)),
    row("mailbox-to-ad",           "mailbox > active-directory",      ports.AD,        "Kerberos",               "Kerberos",
        needs=Need.DOMAIN),
    row("content-indexing",        "mailbox > mailbox",               ports.RPC,       "NTLM, Kerberos",         "RPC privacy",
        waits_for="the content index"),
    row("admin-remote-registry",   "administrator > mailbox",         ports.RPC,       "NTLM, Kerberos",         "IPsec never",
        waits_for=_ADMINISTRATION, practical=(profiles.RPC_PRIVACY,)),
    row("admin-smb",               "administrator > mailbox",         ports.SMB,       "NTLM, Kerberos",         "IPsec never",
        waits_for=_ADMINISTRATION, practical=(profiles.SMB_ENCRYPTION,)),
    row("rus-rpc",                 "mailbox > mailbox",               ports.RPC,       "Kerberos",               "RPC privacy",
        needs=Need.DOMAIN, practical=(profiles.LOCAL_RPC,)),
    row("ad-topology",             "any-server > any-server",         ports.LOCAL_RPC, "NTLM, Kerberos",         "RPC privacy",
        needs=Need.DOMAIN, practical=(profiles.LOCAL_RPC,)),
    row("attendant-listen",        "any-server > mailbox",            ports.RPC,       "NTLM, Kerberos",         "never",
        waits_for=_ATTENDANT, practical=(profiles.RPC_PRIVACY,)),
    row("attendant-to-ad",         "mailbox > active-directory",      ports.AD,        "Kerberos",               "Kerberos",
        needs=Need.DOMAIN),
    row("attendant-mapi",          "mailbox > mailbox",               ports.RPC,       "NTLM, Kerberos",         "RPC privacy",
        waits_for=_ATTENDANT),
    row("oab-to-ad",               "mailbox > active-directory",      ports.RPC,       "Kerberos",               "RPC privacy",
        waits_for="the offline address book"),
    row("recipient-update-to-ad",  "mailbox > active-directory",      ports.AD,        "Kerberos",               "Kerberos",
        needs=Need.DOMAIN),
    row("dsaccess-to-ad",          "mailbox > active-directory",      ports.AD,        "Kerberos",               "Kerberos",
        needs=Need.DOMAIN),
    row("outlook-oab-rpc",         "client > mailbox",                ports.RPC,       "NTLM, Kerberos",         "RPC privacy",
        waits_for="the offline address book"),
    row("mailbox-webdav",          "client, client-access > mailbox", ports.WEB,       "Basic, NTLM, Negotiate", "TLS",
        waits_for="the web services of client access"),
)
# fmt: on
