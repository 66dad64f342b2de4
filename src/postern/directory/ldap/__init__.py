"""LDAP connections: requests, binds, Kerberos tickets and the layer that they seal."""
