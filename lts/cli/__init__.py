"""The command line: arguments in, text out; the services do the work."""
