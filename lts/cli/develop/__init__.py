"""Commands for developers of applications: a client, a demo, a sandbox (`lts --help`, Develop)."""
