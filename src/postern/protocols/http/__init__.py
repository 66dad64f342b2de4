"""HTTP/1.1 on the server side, sans I/O: requests as events, answers as octets."""
