"""The transport agents' decisions, one module an agent: facts and answers come in, what is to be done comes out."""
