"""Alerts: what is watched, who is told, mail and webhooks. Notices on the home page are in maintenance."""
