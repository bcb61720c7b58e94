"""The pair of main and standby (docs/design/pair.md, What is promised); nothing here runs on a single server.

meeting     who the other one is, and what a promotion changes in that
pinned      what this server remembers of the other one, in `pair.json`
messages    what the two say to each other
sessions    the answering side: who may speak
caller      the asking side: hello, signed requests, verified answers
sending     HTTP to the configured URL
answering   what the other's requests get
following   taking the other's changes
giving      the first copy, on the side that gives it
joining     the first copy, on the side that takes it
secrecy     sealing the one secret that a first copy carries
confirming  answers to clients wait for the standby
delegating  the main's word for the standby's key
standin     what is told of a server that authorizes by that word
peer        what is known of the other one
handing     the main lets the standby serve
node        all of it together
report      what administrators are shown
"""
