"""The server programs that roles rest on: PostgreSQL, slapd, and an edge's slapd."""
