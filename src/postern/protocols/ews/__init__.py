"""The XML of Exchange Web Services (MS-OXWS*): envelopes, ids, shapes and paths of properties, read and written without I/O."""
