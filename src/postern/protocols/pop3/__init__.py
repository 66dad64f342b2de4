"""POP3 (RFC 1939), server side, without I/O: bytes in, commands out; answers as bytes."""
