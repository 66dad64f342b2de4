"""Who is it: passwords, NTLM, Kerberos, SCRAM, certificates."""
