"""`python -m gwm.dataset`."""

import sys

from gwm.dataset.collection import main

sys.exit(main())
