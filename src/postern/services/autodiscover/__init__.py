"""Autodiscover and the other ways in which clients find their settings."""
