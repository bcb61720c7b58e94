"""The rules of docs/design as pure functions of (data, now): no clock, file, SQL or HTTP here.

The service's rooms `licensing`, `metering`, `statistics` and `alerting` have rooms of the same name here; the form of a
notice, and notices that follow from data alone, are in `alerting`. The other rooms have files: `access` has accounts
(who may do what) and sessions, `pair` has pair (what two servers sign for each other), `core`, `folder` and
`maintenance` have clock and labels (the machine).
"""
