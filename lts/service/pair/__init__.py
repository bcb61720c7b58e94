"""The pair of main and standby (docs/design/pair.md, What is promised); nothing here runs on a single server."""
