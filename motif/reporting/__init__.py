"""The report: `python -m motif.report outputs/*` reads run folders and writes tables, pictures and one page.

It reads what lies on disk, of finished and unfinished runs alike, and needs no torch. It measures nothing itself and
decides nothing: verdicts are those of `motif.reporting.verdicts`, intervals those of `motif.evaluation.statistics`.

reading (run folders) → arms (runs that differ in their seed alone) → tables, pictures, episodes → page
"""
