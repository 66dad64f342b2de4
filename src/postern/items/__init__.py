"""Reads and writes the formats of items by class: iCalendar, vCard, MIME (docs/decisions/0003). No I/O, no clock."""
