"""Start LTS: sets itself up on the first run, then serves. `python3 run_lts.py --help` lists the commands.

Kept readable for very old Pythons, so that they can say that they are too old.
"""

import os
import sys

if sys.version_info < (3, 10):
    sys.stderr.write(
        "LTS needs Python 3.10 or newer; this is Python %d.%d. Install a newer Python and start it with that.\n"
        % sys.version_info[:2]
    )
    sys.exit(1)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lts.bootstrap import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
