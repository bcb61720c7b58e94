"""Looking after a server: making backups, verify, closing days, doctor, what needs attention."""
