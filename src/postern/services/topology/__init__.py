"""The Active Directory Topology service: which domain controllers there are and how they fare."""
