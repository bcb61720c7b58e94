"""The only SQL of the server. `store.py` is the services' view of it, `writer.py` the one writing connection with group
commit, `replay.py` recomputes every table from the change feed; `sql.py` reads typed rows.
"""
