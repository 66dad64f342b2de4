"""The POP3 session and its maildrop."""
