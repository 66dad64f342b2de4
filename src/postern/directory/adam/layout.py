"""The names in an edge's own directory, which takes the place of ADAM. The edge writes them, hubs replicate into them, and agents
read them.

Pure.
"""

from __future__ import annotations

from uuid import UUID

SUFFIX = "ou=MSExchangeGateway"
"""The suffix that ADAM has on an edge transport server."""
ADMINISTRATOR = f"cn=administrator,{SUFFIX}"
"""The name of the edge's keeper of accounts and of its commands, over the unix socket only. It is the rootdn in slapd.conf, and
has no entry."""
ACCOUNTS = f"cn=Accounts,{SUFFIX}"
SERVICE = f"cn=postern,{ACCOUNTS}"
"""The account of the edge's own processes. It reads what was replicated, and writes nothing."""
REPLICATORS = f"cn=Replicators,{ACCOUNTS}"
"""The group that may write below REPLICATED and add to REQUESTS: replication accounts in their time."""
PASSWORD_POLICY = f"cn=Password Policy,{ACCOUNTS}"
REQUESTS = f"cn=Credentials,{SUFFIX}"
"""The container of replicators' requests to the edge's keeper of accounts: for new accounts, and for the end of old ones."""

REPLICATED = f"cn=Replicated,{SUFFIX}"
RECIPIENTS = f"cn=Recipients,{REPLICATED}"
CONFIGURATION = f"cn=Configuration,{REPLICATED}"
DOMAINS = f"cn=Accepted Domains,{CONFIGURATION}"
CONNECTORS = f"cn=Connections,{CONFIGURATION}"
HUBS = f"cn=Servers,{CONFIGURATION}"
TRANSPORT_SETTINGS = f"cn=Transport Settings,{CONFIGURATION}"
STATE = f"cn=State,{REPLICATED}"
"""The entry of the lease and of the state of replication; it is written last."""

CONTAINERS = (ACCOUNTS, REQUESTS, REPLICATED, RECIPIENTS, CONFIGURATION, DOMAINS, CONNECTORS, HUBS, STATE)
"""All containers, parents before children."""


def recipient_dn(guid: UUID) -> str:
    return f"cn={guid.hex},{RECIPIENTS}"
