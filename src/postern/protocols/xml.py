"""Reads and writes XML without entities and document types, within bounds."""
