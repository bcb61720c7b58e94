"""The change feed: the kinds of change, their chain of hashes, and how origins and epochs are ordered."""
