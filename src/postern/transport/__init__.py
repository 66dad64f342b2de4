"""Decisions about mail, and the queue."""
