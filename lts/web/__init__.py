"""HTTP: translation only, each handler parses, calls one service function and translates the outcome."""
