"""What was bought and how it is shared out: license files, items, handshake codes, server URLs. Who uses it is in
metering."""
