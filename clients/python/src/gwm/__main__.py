"""`python -m gwm`: the command line."""

import sys

from gwm.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
