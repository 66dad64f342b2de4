"""Mailboxes: their housekeeping, clients of other servers' mailboxes, the store driver, and submission from outboxes."""
