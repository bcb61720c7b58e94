"""The program that PyInstaller freezes: the command line, which serves when it is given no command."""

import sys

from lts.bootstrap import end
from lts.cli.main import main

if __name__ == "__main__":
    sys.exit(end(main(), sys.argv[1:]))
