"""The queue and what decides about mail: where a message goes next, when it is tried again, what its sender is told."""
