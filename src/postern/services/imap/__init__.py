"""The IMAP4 session, and one module for each group of its commands."""
