"""Interfaces as declarations: our own, and those of Windows that we call or answer."""
