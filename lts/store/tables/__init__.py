"""A module per family of tables: its questions, and what each kind of change does to it (`apply.py` has the list)."""
