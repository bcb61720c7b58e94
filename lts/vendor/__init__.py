"""The vendor's side: keys and licence files. The server never loads this package."""
