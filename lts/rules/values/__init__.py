"""Reading values strictly and writing them plainly: texts, fields of JSON, domains, ends, pages of lists, CSV.

Nothing here knows what a license is.
"""
