"""Where an organization's own entries stand in Active Directory, and what they are called: read by the adapter, written by
`postern setup ad`.

Nothing is looked up here. Classes and attributes that are Postern's own have the prefix `postern`; all others are Active
Directory's and Exchange's names, which a forest with Exchange's schema has already.
"""

from __future__ import annotations

from postern.directory import entries

SERVERS_GROUP = "Postern Servers"
"""sAMAccountName of the security group whose member computers are our servers: the Exchange Servers group's place."""

ORGANIZATION = "CN=Postern,CN=Services"
"""Under the configuration naming context: all that is the whole organization's."""
SERVERS = f"CN=Servers,{ORGANIZATION}"
"""Our servers: `posternServer`, with certificates for direct trust."""
ACCEPTED_DOMAINS = f"CN=Accepted Domains,{ORGANIZATION}"
EDGE_SUBSCRIPTIONS = f"CN=Edge Subscriptions,{ORGANIZATION}"
ADDRESS_POLICIES = f"CN=Address Policies,{ORGANIZATION}"
ADDRESS_LISTS = f"CN=Address Lists,{ORGANIZATION}"
DATABASES = f"{entries.DATABASES},{ORGANIZATION}"
"""Mailbox databases: `posternDatabase`, for homeMDB to name. Where each of them is, postern.toml says."""
CONTAINERS = (ORGANIZATION, SERVERS, DATABASES, ACCEPTED_DOMAINS, EDGE_SUBSCRIPTIONS, ADDRESS_POLICIES, ADDRESS_LISTS)
"""Parents before children. All are of CONTAINER_CLASS, but the address lists' root, which is one of them."""
CONTAINER_CLASS = "container"
PARTITIONS = "CN=Partitions"
"""Under the configuration naming context: a crossRef for every naming context of the forest (MS-ADTS 6.1.1.2.1)."""

PROBE_ACCOUNT = "postern-probe"
"""sAMAccountName of the account that `postern verify` logs on with; `setup ad` makes it."""

ACCEPTED_DOMAIN_CLASS = "posternAcceptedDomain"
DOMAIN_TYPE = "posternDomainType"
"""A value of `model.organization.DomainType`; the domain's name is the entry's cn."""

DATABASE_CLASS = "posternDatabase"
"""cn is the database's name; homeMDBBL are its mailboxes, which Active Directory keeps."""
SERVER_CLASS = "posternServer"
EDGE_SUBSCRIPTION_CLASS = "posternEdgeSubscription"
"""One edge: cn is its name."""
SERVER_FQDN = "posternFqdn"
SERVER_ROLE = "posternRole"
"""Values of `model.organization.Role`."""
CERTIFICATE = "posternCertificate"
"""DER, one value a certificate: of a server or of an edge, for direct trust. Two while one is being replaced."""
SITE = "posternSite"
VERSION = "posternVersion"
NETWORK_ADDRESS = "networkAddress"
"""IP addresses of a server (MS-ADA2 2.490)."""
STATE = "posternState"
"""JSON of whoever owns the object: a server's health, a subscription's progress."""
SECRET = "posternSecret"  # noqa: S105 (an attribute's name)
"""Octets, encrypted for whom they are meant; several values. Confidential: read with CONTROL_ACCESS only."""
LEASE = "posternLease"
"""Names the server that does the work of this object now, and until when."""
ADAM_PORT = "posternAdamPort"

ADDRESS_POLICY_CLASS = "posternAddressPolicy"
"""cn is the policy's name: POLICY_ORDER, PURPORTED_SEARCH, GATEWAY_PROXY."""
ADDRESS_LIST_CLASS = "addressBookContainer"
"""Active Directory's own (MS-ADSC 2.4): PURPORTED_SEARCH and displayName."""
PURPORTED_SEARCH = "purportedSearch"
"""An LDAP filter (MS-ADA3 2.100)."""
SHOW_IN_ADDRESS_BOOK = "showInAddressBook"
"""Names of the address lists that a recipient is in (MS-ADA3 2.265)."""
POLICY_ORDER = "msExchPolicyOrder"
"""Orders the policies: the lowest number among those that match a recipient counts."""
GATEWAY_PROXY = "gatewayProxy"
"""Templates of addresses: "SMTP:%m@corp.test" is the primary's, "smtp:..." a further one's."""
POLICIES_INCLUDED = "msExchPoliciesIncluded"
"""Which policy a recipient's addresses were last made by, as `address_policy` writes it."""
POLICIES_EXCLUDED = "msExchPoliciesExcluded"
"""Holds EXCLUDED where a recipient's addresses are kept by hand."""
EXCLUDED = "{26491CFC-9E50-4857-861B-0CB8DF22B5D7}"
"""What Exchange writes for "no e-mail address policy"."""
