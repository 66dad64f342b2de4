"""The System Attendant of a mailbox server, and recipient update."""
