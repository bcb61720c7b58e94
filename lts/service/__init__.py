"""Use cases: each function is one thing somebody wants done, in one transaction."""
