"""The only SQL: schema, one writing connection with group commit, and a module per family of tables."""
