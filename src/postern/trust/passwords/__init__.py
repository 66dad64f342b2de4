"""Passwords as proof: verifiers, the judge, the bounds on guessing, and fair turns at scarce work."""
