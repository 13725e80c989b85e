"""Upload to W&B what it has not got: `python -m motif.uploads outputs/*`."""

import sys

from motif.runs.tracking.upload import main

if __name__ == "__main__":
    sys.exit(main())
