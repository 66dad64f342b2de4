"""THE TABLE: the reference's 52 data paths and our own, settled by a profile, and the guard that applies them.

`row` has the types, `transport`, `mailbox`, `client_access`, `unified_messaging` the reference's four tables, `ours` the
rows beyond it, `profiles` the deviations with their reasons, `table` all of it together, `guard` the decisions.
"""
