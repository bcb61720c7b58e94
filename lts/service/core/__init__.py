"""What every use case builds on: the open server, its identity, clock, keys and limits. No use case is in here."""
