"""The administrators' API: what the portal, the command line and programs with a token call."""
