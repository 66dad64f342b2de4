"""ACME (RFC 8555), sans I/O: signed requests, and what the answers say."""
