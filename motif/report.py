"""The report: `python -m motif.report outputs/*`."""

import sys

from motif.reporting.program import main

if __name__ == "__main__":
    sys.exit(main())
