"""Commands for upkeep: backup, restore, verify, doctor (`lts --help`, Repair)."""
