"""Commands for administrators: licenses, handshake codes, devices, usage, the pair (`lts --help`, Administer)."""
