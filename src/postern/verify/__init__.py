"""Dials every row from outside and compares what is seen with what the table declares."""
