"""The rules of product.md as pure functions of (data, now): no clock, file, SQL or HTTP here."""
