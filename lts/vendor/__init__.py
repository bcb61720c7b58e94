"""The vendor's side: keys and license files. The server never loads this package."""
