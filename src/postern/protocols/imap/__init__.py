"""IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051), server side, without I/O: bytes in, commands out; answers as bytes."""
