"""The rules of docs/design as pure functions of (data, now): no clock, file, SQL or HTTP here."""
