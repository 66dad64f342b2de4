"""The places and names of an organization's own entries in Active Directory. `postern setup ad` writes them, the adapter reads
them.

Nothing is looked up here. Postern's own classes and attributes have the prefix `postern`. All other names come from Active
Directory and Exchange, and a forest with Exchange's schema has them already.
"""

from __future__ import annotations

SERVERS_GROUP = "Postern Servers"
"""sAMAccountName of the security group whose member computers are our servers. It does what Exchange Servers does in Exchange."""

ORGANIZATION = "CN=Postern,CN=Services"
"""The container, under the configuration naming context, of all that the whole organization shares."""
SERVERS = f"CN=Servers,{ORGANIZATION}"
"""The container of our servers: `posternServer` objects, with certificates for direct trust."""
ACCEPTED_DOMAINS = f"CN=Accepted Domains,{ORGANIZATION}"
EDGE_SUBSCRIPTIONS = f"CN=Edge Subscriptions,{ORGANIZATION}"
ADDRESS_POLICIES = f"CN=Address Policies,{ORGANIZATION}"
ADDRESS_LISTS = f"CN=Address Lists,{ORGANIZATION}"
DATABASES = f"CN=Databases,{ORGANIZATION}"
"""The container of mailbox databases: `posternDatabase` objects, which homeMDB names. postern.toml says where each one is."""
CONTAINERS = (ORGANIZATION, SERVERS, DATABASES, ACCEPTED_DOMAINS, EDGE_SUBSCRIPTIONS, ADDRESS_POLICIES, ADDRESS_LISTS)
"""All containers, parents before children. They are of CONTAINER_CLASS, but the root of the address lists is an address list."""
CONTAINER_CLASS = "container"
PARTITIONS = "CN=Partitions"
"""The container, under the configuration naming context, of a crossRef for every naming context of the forest (MS-ADTS
6.1.1.2.1)."""

PROBE_ACCOUNT = "postern-probe"
"""sAMAccountName of the account that `postern verify` logs on with; `setup ad` makes it."""

ACCEPTED_DOMAIN_CLASS = "posternAcceptedDomain"
DOMAIN_TYPE = "posternDomainType"
"""A value of `model.organization.DomainType`; the domain's name is the entry's cn."""

DATABASE_CLASS = "posternDatabase"
"""The class of a mailbox database. cn is its name; homeMDBBL lists its mailboxes, and Active Directory keeps that list."""
SERVER_CLASS = "posternServer"
EDGE_SUBSCRIPTION_CLASS = "posternEdgeSubscription"
"""The class of one edge's subscription; cn is the edge's name."""
SERVER_FQDN = "posternFqdn"
SERVER_ROLE = "posternRole"
"""Values of `model.organization.Role`."""
CERTIFICATE = "posternCertificate"
"""The certificates of a server or an edge for direct trust, in DER, one to a value. There are two while one is being replaced."""
SITE = "posternSite"
VERSION = "posternVersion"
NETWORK_ADDRESS = "networkAddress"
"""IP addresses of a server (MS-ADA2 2.490)."""
STATE = "posternState"
"""JSON that the owner of the object writes: a server's health, a subscription's progress."""
SECRET = "posternSecret"  # noqa: S105 (an attribute's name)
"""Octets, encrypted for their reader; several values. The attribute is confidential: reading it needs CONTROL_ACCESS."""
LEASE = "posternLease"
"""Names the server that does the work of this object now, and until when."""
ADAM_PORT = "posternAdamPort"

ADDRESS_POLICY_CLASS = "posternAddressPolicy"
"""The class of an e-mail address policy: cn is its name, and it has POLICY_ORDER, PURPORTED_SEARCH and GATEWAY_PROXY."""
ADDRESS_LIST_CLASS = "addressBookContainer"
"""The class of an address list, from Active Directory (MS-ADSC 2.4). It has PURPORTED_SEARCH and displayName."""
PURPORTED_SEARCH = "purportedSearch"
"""An LDAP filter (MS-ADA3 2.100)."""
SHOW_IN_ADDRESS_BOOK = "showInAddressBook"
"""Names of the address lists that a recipient is in (MS-ADA3 2.265)."""
POLICY_ORDER = "msExchPolicyOrder"
"""A number that orders the policies: of those that match a recipient, the one with the lowest number counts."""
GATEWAY_PROXY = "gatewayProxy"
"""Templates of addresses: "SMTP:%m@corp.test" makes the primary address, "smtp:..." a further one."""
POLICIES_INCLUDED = "msExchPoliciesIncluded"
"""The mark of the policy that last made a recipient's addresses (`AddressPolicy.mark`)."""
POLICIES_EXCLUDED = "msExchPoliciesExcluded"
"""It holds EXCLUDED where a recipient's addresses are kept by hand."""
EXCLUDED = "{26491CFC-9E50-4857-861B-0CB8DF22B5D7}"
"""The value that Exchange writes for "no e-mail address policy"."""
