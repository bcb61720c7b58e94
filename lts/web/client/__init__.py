"""The client API: what applications call. Limits, strict reading, answers."""
