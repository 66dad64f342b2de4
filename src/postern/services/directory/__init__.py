"""The System Attendant of a mailbox server, recipient update, and what a process asks its directory every few seconds."""
