"""Kerberos structures beyond what GSSAPI reads: the PAC of a ticket."""
