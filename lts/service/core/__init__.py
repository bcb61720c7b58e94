"""What every use case stands on: the open server, its identity, clock, keys and limits. No use case is in here."""
