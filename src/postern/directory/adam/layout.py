"""Where things stand in an edge's own directory (ADAM's place): names that the edge writes, hubs replicate into, and agents read.

Pure.
"""

from __future__ import annotations

from uuid import UUID

SUFFIX = "ou=MSExchangeGateway"
"""As ADAM's on an edge transport server."""
ADMINISTRATOR = f"cn=administrator,{SUFFIX}"
"""Over the unix socket only: the edge's keeper of accounts, and its commands. No entry, slapd.conf's rootdn."""
ACCOUNTS = f"cn=Accounts,{SUFFIX}"
SERVICE = f"cn=postern,{ACCOUNTS}"
"""The edge's own processes: it reads what was replicated, and writes nothing."""
REPLICATORS = f"cn=Replicators,{ACCOUNTS}"
"""The group that may write below REPLICATED and add to REQUESTS: replication accounts in their time."""
PASSWORD_POLICY = f"cn=Password Policy,{ACCOUNTS}"
REQUESTS = f"cn=Credentials,{SUFFIX}"
"""What replicators ask of the edge's keeper of accounts: new ones, and the end of old ones."""

REPLICATED = f"cn=Replicated,{SUFFIX}"
RECIPIENTS = f"cn=Recipients,{REPLICATED}"
CONFIGURATION = f"cn=Configuration,{REPLICATED}"
DOMAINS = f"cn=Accepted Domains,{CONFIGURATION}"
CONNECTORS = f"cn=Connections,{CONFIGURATION}"
HUBS = f"cn=Servers,{CONFIGURATION}"
TRANSPORT_SETTINGS = f"cn=Transport Settings,{CONFIGURATION}"
STATE = f"cn=State,{REPLICATED}"
"""The lease, and how far replication is; written last."""

CONTAINERS = (ACCOUNTS, REQUESTS, REPLICATED, RECIPIENTS, CONFIGURATION, DOMAINS, CONNECTORS, HUBS, STATE)
"""Parents before children."""


def recipient_dn(guid: UUID) -> str:
    return f"cn={guid.hex},{RECIPIENTS}"
