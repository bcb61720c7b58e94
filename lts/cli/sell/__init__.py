"""Commands for software vendors: keys and license files (`lts --help`, Sell)."""
