"""The lab of credit schemes: `python -m motif.credit outputs/RUN`."""

import sys

from motif.evaluation.credit.program import main

if __name__ == "__main__":
    sys.exit(main())
