"""The command line: arguments in, words out; what is done is done by the services."""
