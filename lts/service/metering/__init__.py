"""From an application's call to the meter: authorize, report, release, and the dry run behind "Why?". Sums for people
are in statistics."""
