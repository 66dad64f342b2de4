"""Events, tracking, observation: what happened, said once and in one form."""
