"""Preflight: can a run go well? Asked before its first step, of everything that costs no step to ask.

check         the questions put to a run, and the line that stops it
reply_forms   replies of known form, put through the run's own grader, algorithm and reward
rules         what must hold of the rewards that they get
windows       prompts and replies against windows and context
room          memory and disk
"""

from motif.training.preflight.check import Preflight
from motif.training.preflight.windows import Plan

__all__ = ["Plan", "Preflight"]
