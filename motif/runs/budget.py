"""Budgets: training ends when a limit is reached. Evaluation and loading do not count.

A limit is a number, or what another run has spent. Only the ledger says what is spent, so a continued run ends where it
would have ended. The last steps have fewer questions where the budget has no room for all, so a limit is passed by
about one question's cost at most. `algo.steps` stays the upper bound. The learning rate's schedule ends with the first
of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motif.runs.ledger import Ledger
from motif.system import UserError, number, one_of, read_json, whole

COUNTED = {  # by the name of a limit, the ledger's
    **{"tokens": "generated_tokens", "responses": "responses", "questions": "questions", "flops": "flops"}
}
ON = (*COUNTED, "seconds")
TOTALS = {**{name: f"total/{count}" for name, count in COUNTED.items()}, "seconds": "total/seconds"}  # in metrics
Limits = dict[str, float]  # by what is limited: tokens, responses, questions, flops, seconds


@dataclass(frozen=True)
class Budget:
    """The limits of a training. Null means no limit.

    Args:
        tokens, responses: generated in all rounds together.
        questions: drawn.
        flops: of its steps, as the ledger estimates them.
        seconds: in the phases of its steps.
        steps: in which the budget is to be spent, in the place of `algo.steps`. Each step then has as many questions,
            `algo.questions` at most, as spend the same share. So arms have equal steps and an equal budget.
        match: the folder of a finished run. This run gets what that run has spent of what `on` names.

    Raises:
        UserError: a value that cannot be, or two that set the same limit.
    """

    tokens: int | None = None
    responses: int | None = None
    questions: int | None = None
    flops: float | None = None
    seconds: float | None = None
    steps: int | None = None
    match: str | None = None
    on: str = "tokens"

    def __post_init__(self) -> None:
        for name in ("tokens", "responses", "questions", "steps"):
            if getattr(self, name) is not None:
                whole(f"budget.{name}", getattr(self, name))
        for name in ("flops", "seconds"):
            if getattr(self, name) is not None:
                number(f"budget.{name}", getattr(self, name), above=0)
        if self.steps is not None and self.match is None and not any(getattr(self, name) for name in COUNTED):
            raise UserError(f"budget.steps={self.steps} is the steps of a budget: set another limit, such as tokens")
        one_of("budget.on", self.on, ON)
        if self.match is None and self.on != "tokens":
            raise UserError(f"budget.on={self.on} is of a run that is matched: name it as budget.match=outputs/RUN")
        if self.match is not None:
            if not isinstance(self.match, str) or not self.match:
                raise UserError(f"budget.match must be the folder of a finished run, got {self.match!r}")
            if getattr(self, self.on) is not None:
                raise UserError(f"budget.{self.on} and budget.match with budget.on={self.on} both set the same limit")

    def limits(self) -> Limits:
        """The limits as numbers. A matched run that is not finished, or does not say it, is a `UserError`."""
        limits = {name: value for name in ON if (value := getattr(self, name)) is not None}
        return {**limits, self.on: self._of_match()} if self.match is not None else limits

    def _of_match(self) -> float:
        assert self.match is not None
        file = Path(self.match) / "summary.json"
        if not file.is_file():
            state = "is not finished" if (file.parent / "run.json").is_file() else "is not a run"
            raise UserError(f"budget.match={self.match} {state}: no summary.json there; name a finished run's folder")
        try:
            spent = read_json(file)["compute"]["training"][COUNTED.get(self.on, self.on)]
            number(f"what {file} says of {self.on}", spent, above=0)
            return spent
        except (KeyError, TypeError):
            raise UserError(f"budget.match={self.match}: {file} does not say how many {self.on} it took") from None

    def account(self, limits: Limits, ledger: Ledger) -> dict[str, Any]:
        """For a summary: each limit, what is spent of it, their ratio, and the matched run if there is one."""
        account: dict[str, Any] = {
            name: {"limit": limit, "spent": spent(ledger, name), "ratio": spent(ledger, name) / limit}
            for name, limit in limits.items()
        }
        return {**account, "match": self.match, "on": self.on} if self.match is not None else account


@dataclass(frozen=True)
class Pace:
    """How many questions a step has, so that the budget is spent and not passed.

    Args:
        limits: of the budget.
        ledger: what was spent, the same in all processes when a step begins.
        worst: of what is limited, the most that a question can cost, for the first step.
        steps: in which the budget is to be spent; None for as few as it takes.
    """

    limits: Limits
    ledger: Ledger
    worst: Mapping[str, float]
    steps: int | None = None

    def __call__(self, step: int, questions: int) -> int:
        """Of `questions`, how many the step after `step` steps has: at least one."""
        return min([questions, *(self._room(name, step, questions) for name in self.limits if name in COUNTED)])

    def _room(self, name: str, step: int, questions: int) -> int:
        trained, used = self.ledger.counts["trained_questions"], spent(self.ledger, name)
        cost = used / trained if trained else self.worst.get(name, 0.0)
        if not cost:
            return questions
        left = (self.limits[name] - used) / cost  # questions
        return max(1, round(left / max(1, self.steps - step)) if self.steps else int(left))

    def fraction(self) -> float:
        """The share of the budget that is spent, of the limit that is nearest; 0 without limits."""
        return max((spent(self.ledger, name) / limit for name, limit in self.limits.items()), default=0.0)


def spent(ledger: Ledger, name: str) -> float:
    """What training has spent of `name`: tokens, responses, questions or seconds."""
    return ledger.counts[COUNTED[name]] if name in COUNTED else ledger.training_seconds()


def reached(limits: Limits, ledger: Ledger) -> str | None:
    """The setting whose limit is reached, such as `budget.tokens`; None where none is."""
    return next((f"budget.{name}" for name, limit in limits.items() if spent(ledger, name) >= limit), None)


def account_lines(account: Mapping[str, Any], stopped_by: str) -> list[str]:
    """What is spent of a budget, one line a limit."""
    lines = []
    for name in ON:
        if limit := account.get(name):
            whose = f" (what {account['match']} spent)" if account.get("on") == name else ""
            end = "; algo.steps ended training before that" if stopped_by == "algo.steps" else ""
            numbers = f"{limit['spent']:,.0f} of {limit['limit']:,.0f}"
            lines.append(f"budget.{name}: {numbers}{whose}, {limit['ratio']:.1%}{end}")
    return lines
