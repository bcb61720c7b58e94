"""Alerts: what is watched, who is alerted, mail and webhooks. Notices on the home page are in maintenance."""
