"""The room of evaluation: policies measured on questions that they are not trained on.

evaluate       one record a question, kept as it is made
measure        one measurement: records, and the result that they come to
scores         what records come to: accuracy, interval, rates, tokens
statistics     intervals and tests
significance   differences between arms
validation     accuracy on validation questions while training goes on
program        `evaluate.py`
solve          `solve.py`
terminal       results on the screen
lm_eval        records in the shape of lm-evaluation-harness
probe          what a round contributes: `python -m motif.probe`
credit         credit schemes on the same rollouts: `python -m motif.credit`

Words: *records* are lines, one a question. A *result* is what records come to. A *summary* is the result of a whole
run. *Metrics* are numbers of a training step.
"""

from motif.evaluation.evaluate import Evaluation
from motif.evaluation.measure import measure, measure_all
from motif.evaluation.validation import Validation, validation_questions

__all__ = ["Evaluation", "Validation", "measure", "measure_all", "validation_questions"]
