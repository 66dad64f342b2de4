"""The XML of Exchange Web Services (MS-OXWSCDATA): envelopes, ids, shapes and paths of properties."""
