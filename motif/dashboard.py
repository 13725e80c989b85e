"""A W&B dashboard: `python -m motif.dashboard --group GROUP`."""

import sys

from motif.reporting.dashboard import main

if __name__ == "__main__":
    sys.exit(main())
