"""The transport agents' decisions, one module an agent: facts and answers come in, decisions come out."""
