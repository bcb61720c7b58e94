"""Use cases: each function does one thing that somebody wants, in one transaction."""
