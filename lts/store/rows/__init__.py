"""Rows of many numbers, in one blob or many columns: a device's day, an item's activity, units by hour and day."""
