"""The room of runs: the folder of a run, what it has spent, and who watches it.

folder        what is in the folder of a run
identity      what a run is
names         what it is called where nobody has named it
checkpoints   checkpoints: sealed with hashes, verified when read
ledger        what a run has spent: tokens, seconds, memory, FLOPs
flops         the estimate of FLOPs
budget        limits at which training ends
summary       the result of a run: summary.json
saving        its trained policy on disk
model_card    the card of that policy
watchdogs     warnings of a training that goes wrong
tracking      Weights & Biases, TensorBoard, or nothing
"""

from motif.runs.budget import Budget, Limits
from motif.runs.checkpoints import Checkpoints
from motif.runs.folder import Run
from motif.runs.ledger import Ledger

__all__ = ["Budget", "Checkpoints", "Ledger", "Limits", "Run"]
