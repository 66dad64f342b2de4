"""LDAP octets that are read and written without a library: CLDAP pings and SASL binds."""
