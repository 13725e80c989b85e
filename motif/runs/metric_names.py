"""The names of metrics in folders that earlier versions left, and what they are called today.

Whatever reads metrics.jsonl reads it through `renamed`, so nothing else knows an old name. docs/metrics.yaml lists
today's names. None of them is an old one.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

TODAY = {  # what the whole of an old name matches, and today's name
    r"train/reward/(.+)": r"train/rewards/\1/mean",
    r"train/clipped": r"train/clip_ratio/region_mean",
    r"train/(accuracy|unparsable|truncated|copied|grader_gave_up|rounds_used)": r"episode/\1",
    r"train/zero_spread": r"groups/zero_advantage",
    r"train/redrawn": r"groups/redrawn",
    r"train/accuracy/round_(\d+)": r"rounds/\1/correct",
    r"train/(tokens|truncated|well_formed|no_answer|progress\w*)/round_(\d+)": r"rounds/\2/\1",
    r"train/guard/difference/round_(\d+)": r"rounds/\1/guard_difference",
    r"train/(guard/difference\w*)": r"\1",
    r"train/((?:trained_)?questions|responses|first_round_replies|continuations|flops)": r"total/\1",
    r"train/((?:prompt|generated|trained)_tokens|(?:optimiser|idle)_steps)": r"total/\1",
    r"train/tokens_round_(\d+)": r"total/generated_tokens_round_\1",
    r"step/tokens_round_(\d+)": r"step/generated_tokens_round_\1",
    r"tokens_round_(\d+)": r"generated_tokens_round_\1",  # of the ledger
    r"seconds/training": r"total/seconds",
    r"memory/peak": r"compute/peak_memory",
    r"train/tokens": r"train/num_tokens",  # of a warm start, as the next three
    r"train/token_accuracy": r"train/mean_token_accuracy",
    r"held_out/loss": r"eval/loss",
    r"held_out/token_accuracy": r"eval/mean_token_accuracy",
}


def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` by today's names, such as a line of metrics.jsonl or the counts of a checkpoint, whatever wrote them."""
    return {today(name): value for name, value in values.items()}


@lru_cache(maxsize=4096)
def today(name: str) -> str:
    """What the metric called `name` is called today."""
    found = (re.fullmatch(old, name) for old in TODAY)
    return next((match.expand(new) for match, new in zip(found, TODAY.values(), strict=True) if match), name)
