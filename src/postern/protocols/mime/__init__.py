"""Internet messages (RFC 5322, MIME RFC 2045-2047, 2231): scanned, rendered for IMAP (RFC 9051), cut into sections, and
read as text for search. Nothing here raises on any bytes; depth, number of parts and lengths are bounded.
"""
