"""The parts that IMAP and POP3 sessions share: opened mailboxes, waits for changes, and room for messages in memory."""
