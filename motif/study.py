"""Where runs and sweeps stand: `python -m motif.study status outputs/*`."""

import sys

from motif.reporting.study import main

if __name__ == "__main__":
    sys.exit(main())
