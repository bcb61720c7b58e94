"""The pair of main and standby (docs/design/pair.md, What is promised), and what answers in its place on a single
server (alone.py)."""
