"""Sans-I/O protocol machines: bytes to events and back. No I/O, no clock; they are pulled and never raise on input."""
