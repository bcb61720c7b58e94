"""Authorizing and counting: which item a request gets, how long its lease lasts, what a report counts for.

Sums over many devices are in lts.rules.statistics.
"""
