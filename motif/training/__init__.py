"""The room of training: how trees are grown, credited and turned into steps of TRL's GRPOTrainer.

algorithms     which replies are trained, and against which baseline
advantages     the arithmetic of returns: baseline, spread, weight
rewards        the terms of a reward
rows           what each trained reply earned, and its weight, as rows of TRL's
rollout        the suite's side of TRL: rollout_func and reward functions
trainer        TRL's trainer, and when training ends
recorder       what is kept of a step
trl_config     TRL's GRPOConfig, made of our settings
demonstrations replies to imitate: worked solutions, whole or cut into rounds
sft            imitation by TRL's SFTTrainer
warm_start     the program that imitates (`python -m motif.warm_start`)
resume         from which checkpoint training goes on, and what becomes of a step that fails
guard          do the replies come from the policy that is trained?
nonfinite      NaN and infinity end a run before they are saved
micro_batch    how many rows fit the memory of a GPU
published      the flaws of the published code, each a switch
preflight      what is checked before the first step
"""

from motif.runs.watchdogs import Watch
from motif.training.algorithms import GRPO, MOTIF, Algorithm, Broadcast, Discounted, LeaveOneOut, Row, Value
from motif.training.guard import Guard
from motif.training.published import Flaws
from motif.training.rewards import Reward
from motif.training.rollout import Rollout

__all__ = ["GRPO", "MOTIF", "Algorithm", "Broadcast", "Discounted", "LeaveOneOut", "Row", "Value"]
__all__ += ["Flaws", "Guard", "Reward", "Rollout", "Watch"]
