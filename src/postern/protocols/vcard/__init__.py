"""vCard (RFC 2426, RFC 6350, and vCard 2.1)."""
