"""Content lines, which iCalendar and vCard share: "NAME;PARAM=value:value", folded (RFC 5545 section 3.1, RFC 6350 section 3)."""
