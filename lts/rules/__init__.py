"""The rules of docs/design as pure functions of (data, now): no clock, file, SQL or HTTP here.

A room of the service finds its rules in the room of the same name. Four rules that need no room of their own: accounts
(who may do what), clock and labels (the machine), pair (what two servers sign for each other).
"""
