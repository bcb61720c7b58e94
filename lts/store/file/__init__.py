"""The SQLite file itself: schema and migrations, opening, damage, the write-ahead log, how far it is."""
