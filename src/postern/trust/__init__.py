"""Authentication: passwords, NTLM, Kerberos, SCRAM, certificates."""
