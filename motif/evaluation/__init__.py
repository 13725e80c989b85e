"""The room of evaluation: policies measured on questions that they are not trained on.

evaluate       one record a question, kept as it is made
measure        one measurement: records, and the result that they come to
results        what records come to: accuracy, interval, rates, tokens
statistics     intervals and tests of proportions
significance   the difference of two arms: its interval, p value and test
power          what a study of another size would see
wording        numbers in words
validation     accuracy on validation questions while training goes on
program        `evaluate.py`
solve          `solve.py`
terminal       results on the screen
lm_eval        records in the shape of lm-evaluation-harness
probe          what a round contributes: `python -m motif.probe`
credit         credit schemes on the same rollouts: `python -m motif.credit`

Words: *metrics* are numbers of a reply, a round or a training step. *Records* are lines, one a question. A *result* is
what records come to. A *summary* is what a whole run comes to (summary.json).
"""

from motif.evaluation.evaluate import Evaluation
from motif.evaluation.measure import Measurer
from motif.evaluation.validation import Validation, validation_questions

__all__ = ["Evaluation", "Measurer", "Validation", "validation_questions"]
