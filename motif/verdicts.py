"""What finished runs say of each other: `python -m motif.verdicts outputs/*`."""

import sys

from motif.reporting.verdicts import main

if __name__ == "__main__":
    sys.exit(main())
