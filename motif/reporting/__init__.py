"""The room of reporting: what lies in run folders, read and shown. It measures nothing and needs no torch.

recorded       what a folder holds, as data: a run, its results, its shares by question
folders        reads run folders into it
frames         the same as DataFrames of pandas, for `motif.load`
arms           runs that differ in their seed only
arm_names      what an arm is called, and in which settings arms differ
pairing        which results of two arms may be compared, and what else differs
comparison     one comparison: a verdict in numbers and in a sentence
verdicts       which arms are compared: `python -m motif.verdicts`
pooled         results pooled over seeds, with their interval
tables         the tables of the report and of the terminal
survival       right intermediate states handed over, by round
curves         held-out accuracy at budgets of generated tokens
markup         a table as Markdown and LaTeX
standings      results that may stand beside each other, each against each, and the answer in a sentence
factors        main effects of settings that a sweep varies together
paper          Table 1 of the MOTIF paper
pictures       the pictures of the report
episodes       what policies wrote, for the page's browser
inspect_logs   what policies wrote, as logs of inspect_ai
page_data      what the page's scripts show; these lie in web/, with uPlot, which draws the curves
page           index.html, report.md, tables.tex
watch          the page written again while runs go on
attach         the report as a W&B run
program        the report: `python -m motif.report`
cores          work divided among the machine's cores
status         how far a run has come, and how long the rest takes
status_screen  the same on the terminal, for many runs
study          sweeps and what has become of them: `python -m motif.study status`

From folders to the page: folders → arms → verdicts; arms → pooled → tables, pictures; episodes; page.

Words: *metrics* are numbers of a reply, a round or a training step. *Records* are lines, one a question. A *result* is
what the records of one evaluation come to. A *summary* is what a whole run comes to (summary.json). An *arm* is one
way of training, over its seeds. A *verdict* is what two arms say of each other.
"""

from motif.reporting.arms import Arm, arms_of
from motif.reporting.comparison import Verdict
from motif.reporting.folders import read_runs
from motif.reporting.verdicts import survey

__all__ = ["Arm", "Verdict", "arms_of", "read_runs", "survey"]
