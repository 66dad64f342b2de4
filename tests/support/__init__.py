"""What tests of several parts share: what a test needs of its machine, and free ports."""
