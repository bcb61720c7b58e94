"""Values of every kind, strictly read and plainly written: texts, fields of JSON, domains, ends, pages of lists, CSV.

Nothing here knows what a license is.
"""
