"""Listening and talking HTTP: sockets, waitress and its loop, threads. What is answered is lts.web's."""
