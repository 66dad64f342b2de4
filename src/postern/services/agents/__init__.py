"""Transport agents: those of a receive connector in their order, and those in front of a send connector."""
