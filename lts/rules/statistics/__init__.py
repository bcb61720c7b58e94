"""What usage looks like over time: tables and forecasts."""
