"""Logons over NTLM: the host's secure channel to a domain controller, and the broker that judges answers for the host."""
