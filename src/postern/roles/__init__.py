"""Wiring only: each role is one file under 80 lines that puts services behind doors."""
