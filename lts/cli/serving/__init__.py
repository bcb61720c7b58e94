"""Running the server: in this process, or as a service of Linux or Windows."""
