"""The report: `python -m motif.report outputs/*`. Imported, `motif.report` is the function that does the same."""

import sys

if __name__ == "__main__":
    from motif.reporting.program import main

    sys.exit(main())

from motif.api import report

sys.modules[__name__] = report  # type: ignore[assignment]
