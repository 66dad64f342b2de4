"""Mailboxes in PostgreSQL."""
