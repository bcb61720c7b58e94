"""Usage over time: tables and forecasts."""
