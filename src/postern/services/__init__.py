"""Conversations: a protocol machine, the guard, and the domain. One package a protocol or service."""
