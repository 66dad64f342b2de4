"""ACME (RFC 8555): asks an authority for a certificate, and answers its challenges on port 80."""
