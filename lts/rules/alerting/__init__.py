"""What an administrator should know, and its wording: levels, notices, mails, the calendar of ends."""
