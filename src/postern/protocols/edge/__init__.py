"""Data that hubs and edges exchange about each other: hashes of recipients, and subscription files."""
