"""Recipients, accounts and servers, over LDAP."""
