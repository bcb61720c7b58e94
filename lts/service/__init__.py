"""Use cases: each function does one thing for somebody, in one transaction."""
