"""The guard: do the replies come from the policy that is trained? Asked of the model itself, at every step.

It compares the log-probabilities that the engine reported with those that the training model gives the same tokens: in
the first step on replies of every round, later on one reply a step, of the rounds in turn, so that it costs little. An
engine that was never sent the new weights, or that leaves the adapters out for some rounds, is found within as many
steps as there are rounds. It changes nothing: no random number, no gradient, no mode of the model.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from statistics import fmean, stdev
from typing import Any

from motif.policies.policy import without_adapters
from motif.rounds import Node, Reply, Sampling, Tree
from motif.system.errors import UserError, number, whole
from motif.training.preflight import dropout

FLOOR = 0.001  # nats a token; below it a difference is that of arithmetic
SURE = 3.0  # standard errors
PIECE = 256  # tokens whose distributions are held at a time


@dataclass(frozen=True)
class Guard:
    """Compares `replies` replies of the first step (0: none), spread over the rounds, and one of each later step.

    A round's replies fit another policy where their log-probabilities differ from the training model's by more than
    `tolerance` nats a token in the mean, or where they fit the model without its adapters at least twice as well; each
    by more than three standard errors over the tokens compared.
    """

    replies: int = 8
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        whole("guard.replies", self.replies, at_least=0)
        number("guard.tolerance", self.tolerance, above=0)

    def watch(
        self, sampling: Callable[[int], Sampling], cut: bool, rounds: Iterable[int] | None = None
    ) -> Callable[..., dict[str, float]] | None:
        """`check` of a model and its trees with these settings; None where nothing is to be compared."""
        return partial(self.check, sampling=sampling, cut=cut, rounds=rounds) if self.replies else None

    def check(
        self,
        model: Any,
        trees: Sequence[Tree],
        sampling: Callable[[int], Sampling],
        cut: bool = False,
        seed: int = 0,
        rounds: Iterable[int] | None = None,
        step: int = 0,
    ) -> dict[str, float]:
        """The step's `guard/difference`, by round `rounds/t/guard_difference`, of a PEFT model `guard/difference_base`,
        and of a model with dropout `guard/difference_dropout`, in nats a token. Only the last is measured with dropout,
        as the model is trained. A person has asked for that, so it is shown and not judged. After step 0 the base model
        is asked only where the difference is more than that of arithmetic.

        `sampling(round)` is how replies were drawn, `cut` whether the engine's log-probabilities are those of the
        distribution that top-k and top-p left. Only `rounds` are looked at where given. Raises `UserError` where a
        round's replies fit another policy. Replies without log-probabilities are passed over.
        """
        from peft import PeftModel

        own: list[float] = []
        base: list[float] = []
        noisy: list[float] = []
        drops = bool(dropout.heard(model))
        by_round: dict[str, list[float]] = {}
        for round, nodes in sorted(self._sample(trees, seed, rounds, step).items()):
            replies = [node.reply for node in nodes]
            drawn = sampling(round)
            here = differences(model, replies, drawn, cut)
            there = []
            if isinstance(model, PeftModel) and (step == 0 or (here and fmean(here) > FLOOR)):
                with without_adapters(model):
                    there = differences(model, replies, drawn, cut)
            self._judge(round, here, there)
            own, base = own + here, base + there
            if drops:
                noisy += differences(model, replies, drawn, cut, seed)
            by_round[f"rounds/{round}/guard_difference"] = here
        named = {"guard/difference": own, "guard/difference_base": base, "guard/difference_dropout": noisy, **by_round}
        return {name: fmean(values) for name, values in named.items() if values}

    def _sample(
        self, trees: Sequence[Tree], seed: int, rounds: Iterable[int] | None, step: int = 0
    ) -> dict[int, list[Node]]:
        """Nodes by round: at step 0 `replies` of them, as evenly as they go, later one of the round whose turn it
        is."""
        wanted = None if rounds is None else set(rounds)
        random = Random(seed)
        waiting: dict[int, list[Node]] = {}
        for node in (node for tree in trees for node in tree.nodes()):
            if node.reply.logprobs is not None and (wanted is None or node.round in wanted):
                waiting.setdefault(node.round, []).append(node)
        for nodes in waiting.values():
            random.shuffle(nodes)
        if step and waiting:
            round = sorted(waiting)[step % len(waiting)]
            return {round: waiting[round][:1]}
        turns = sorted((turn, round) for round, nodes in waiting.items() for turn in range(len(nodes)))
        taken: dict[int, list[Node]] = {}
        for turn, round in turns[: self.replies]:
            taken.setdefault(round, []).append(waiting[round][turn])
        return taken

    def _judge(self, round: int, own: list[float], base: list[float]) -> None:
        if len(own) < 2:
            return
        difference, advice = fmean(own), "; guard.replies=0 trains without this check"
        if base:
            better = [far - near for far, near in zip(own, base, strict=True)]
            if difference > FLOOR and fmean(base) < difference / 2 and fmean(better) > SURE * error(better):
                raise UserError(
                    f"guard: the replies of round {round} come from the base model ({fmean(base):.3g} nats a token "
                    f"from it) and not from the policy that is trained ({difference:.3g}): the engine leaves the "
                    f"adapters out or is not sent the weights{advice}"
                )
        if difference - SURE * error(own) > self.tolerance:
            raise UserError(
                f"guard: the replies of round {round} come from another policy than the one that is trained "
                f"({difference:.3g} nats a token from it, guard.tolerance={self.tolerance:g}): see that the engine is "
                f"sent the weights before each step, and has the model's type and tokenizer{advice}"
            )


def error(values: Sequence[float]) -> float:
    """The standard error of the mean of at least two `values`."""
    return stdev(values) / math.sqrt(len(values))


def differences(
    model: Any, replies: Sequence[Reply], sampling: Sampling, cut: bool, noise: int | None = None
) -> list[float]:
    """|model's − reported| log-probability of every token of `replies` that the engine knew one for; with dropout of
    the seed `noise`, where it is given."""
    found = []
    for reply in replies:
        scores = logprobs(model, reply, sampling, cut, noise)
        pairs = zip(scores, reply.logprobs or (), strict=True)
        found += [abs(score - reported) for score, reported in pairs if math.isfinite(reported)]
    return found


def logprobs(model: Any, reply: Reply, sampling: Sampling, cut: bool, noise: int | None = None) -> list[float]:
    """The log-probabilities that `model` gives the reply's tokens at the sampling temperature.

    With `cut`, within what top-k and top-p leave; a token that the engine kept and this model would just have cut
    counts as kept. A forward pass a reply, without gradients, and without dropout but where its seed `noise` is given;
    what others draw does not depend on it.
    """
    import torch

    was_training = model.training
    model.train(noise is not None)
    devices = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.no_grad(), torch.random.fork_rng(devices, enabled=noise is not None):
            if noise is not None:
                torch.manual_seed(noise)
            n = len(reply.token_ids)
            ids = torch.tensor([reply.prompt_ids + reply.token_ids], device=model.device)
            logits = model(input_ids=ids, use_cache=False, logits_to_keep=n + 1).logits[0, :-1]
            found = []
            for piece, tokens in zip(logits.split(PIECE), ids[0, -n:].split(PIECE), strict=True):
                scores = torch.log_softmax(piece.float() / (sampling.temperature or 1.0), dim=-1)
                chosen = scores.gather(-1, tokens[:, None]).squeeze(1)
                if cut and sampling.temperature:
                    chosen = chosen - kept(scores, sampling)
                found += chosen.tolist()
            return found
    finally:
        model.train(was_training)


def kept(scores: Any, sampling: Sampling) -> Any:
    """The log of the share of each distribution of `scores` (tokens, vocabulary) that top-k, then top-p, leave."""
    ranked = scores.sort(dim=-1, descending=True).values.exp()
    if sampling.top_k:
        ranked = ranked[:, : sampling.top_k]
    if sampling.top_p < 1:
        before = (ranked.cumsum(-1) - ranked) / ranked.sum(-1, keepdim=True)
        ranked = ranked.masked_fill(before >= sampling.top_p, 0.0)
    return ranked.sum(-1).log()
