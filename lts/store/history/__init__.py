"""Old parts of the change feed in compressed files, and the feed as the other server reads it."""
