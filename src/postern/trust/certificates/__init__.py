"""Certificates as proof: direct trust, authorities, and secrets sealed for the holder of a key."""
