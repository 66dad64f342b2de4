"""Mailboxes over RPC: the mailbox server, its clients, the store driver, and submission from outboxes."""
