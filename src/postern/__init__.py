"""Postern: a messaging system whose data paths are rows that the program executes. See ARCHITECTURE.md."""
