"""Active Directory: the adapter that roles read through, administration, and the preparation of a forest."""
