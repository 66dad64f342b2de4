"""Tests of the DCE/RPC machines."""
