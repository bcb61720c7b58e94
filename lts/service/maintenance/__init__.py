"""Looking after a server: backup, verify, housekeeping, doctor, what needs attention."""
