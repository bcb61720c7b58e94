"""An open transaction, what the writer keeps in memory between two of them, and snapshots for readers."""
