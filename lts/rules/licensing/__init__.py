"""License files and handshake codes: their content, their revisions, and all of them as one catalog.

Who gets what of them is in lts.rules.metering.
"""
