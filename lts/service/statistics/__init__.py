"""What was used, for people: tables, devices, days, forecasts. Counting itself is in metering."""
