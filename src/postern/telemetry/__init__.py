"""Events, tracking, observation, metrics: what happened, said once and in one form."""
