"""Kerberos as proof: contexts for RPC, passwords judged by a realm, keytabs, and the accounts behind tickets."""
