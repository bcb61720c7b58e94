"""What an administrator should know, and how it is said: levels, notices, mails, the calendar of ends."""
