"""Listening and talking HTTP: sockets, waitress and its loop, threads. The answers are in lts.web."""
