"""Internet messages (RFC 5322, MIME RFC 2045-2047, 2231): scans them, renders them for IMAP (RFC 9051), cuts them into sections,
and reads them as text for search. Nothing here raises on any bytes; depth, number of parts and lengths are bounded.
"""
