"""NTLM as proof: both sides of the handshake, its fields, and the Netlogon secure channel."""
