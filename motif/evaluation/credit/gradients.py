"""How good an estimate of the policy gradient is a scheme's? Many small draws of each, against a large reference.

A draw is one group of each question, as a step of training would make it; its gradient is that of the loss at the
policy that wrote the replies (ratio 1, no KL term, no clipping): of a question

    g = (1/m) Σ_trajectories (1/T) Σ_rows A_row ∇ℓ(row),

ℓ the mean of the reply's token log-probabilities under the losses `grpo` and `sapo`, their sum under the others, at the
training temperature. The reference is `Value` undivided, with many continuations and several draws of its own, in all
rounds, and in those alone that the scheme trains. All schemes read the same trees of a draw, each the part that it
would have grown. A gradient is kept as a count sketch (Charikar, Chen & Farach-Colton 2002): inner products are right
on average, within about 1/√size of the norms' product. What is made of them is said in `noise`.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from motif.evaluation.credit.noise import Draw, Measured, judged
from motif.evaluation.credit.schemes import credit, cut, kinds, name, remembering, with_k
from motif.generation.engines import Transformers
from motif.policies.pretrained import Policy
from motif.rounds.episode import Episode, Tree, grow
from motif.rounds.replies import Reply
from motif.system.errors import UserError
from motif.tasks.questions import Question
from motif.training.algorithms import Algorithm, Value
from motif.training.rewards import Reward

SIZE = 1 << 16  # of a sketch
MEAN_TOKEN = ("grpo", "sapo")  # losses in which a reply's tokens are averaged; the others add them up


@dataclass(frozen=True)
class Setting:
    """`questions` fixed ones, `draws` of each scheme with each of `ks` continuations where it has such a setting; a
    reference of `reference_draws` draws with `reference_k`. `m` is the run's."""

    questions: int = 64
    draws: int = 4
    ks: tuple[int, ...] = (2,)
    reference_k: int = 16
    reference_draws: int = 2


class Sketch:
    """A fixed random linear map of gradients to `size` numbers: each entry is added to, or taken from, one of them."""

    def __init__(self, parameters: Sequence[Any], size: int = SIZE, seed: int = 0) -> None:
        import torch

        self.size, generator = size, torch.Generator().manual_seed(seed)
        self.places = [
            torch.randint(2 * size, (each.numel(),), generator=generator, dtype=torch.int32).to(each.device)
            for each in parameters
        ]

    def __call__(self, gradients: Sequence[Any]) -> Any:
        import torch

        sums = torch.zeros(2 * self.size, device=gradients[0].device)
        for places, gradient in zip(self.places, gradients, strict=True):
            sums.index_add_(0, places, gradient.flatten().float())
        return (sums[: self.size] - sums[self.size :]).cpu().numpy()


class Lab:
    """A policy, and what a run trains it with: `episode` as in training, `reward`, `algorithm` (the run's own, of which
    m, the loss and the scaling are taken), `marks`, which grades."""

    def __init__(
        self,
        policy: Policy,
        episode: Episode,
        reward: Reward,
        algorithm: Algorithm,
        marks: Callable[[Sequence[Tree]], None],
        seed: int = 0,
        size: int = SIZE,
    ) -> None:
        self.policy, self.episode, self.reward, self.algorithm = policy, episode, reward, algorithm
        self.marks, self.seed = marks, seed
        self.generate = Transformers().generator(policy)
        self.parameters = trainable(policy.model)
        self.sketch = Sketch(self.parameters, size, seed)
        self.scale = algorithm.trainer.get("scale_rewards") or "group"
        self.mean_token = algorithm.trainer.get("loss_type") in MEAN_TOKEN
        self.draws = 0

    def trees(self, questions: Sequence[Question], branching: Sequence[int]) -> list[Tree]:
        """New trees of `questions`, graded; no two calls share random numbers."""
        self.draws += 1
        key = (self.seed * 1_000_003 + self.draws) * 1009
        found = grow(
            *(questions, self.episode, branching, self.generate, self.policy.tokenizer),
            lambda round: self.episode.sampling(round).seeded((key + round) % 2**63),
        )
        self.marks(found)
        return found

    def draw(self, trees: Sequence[Tree], schemes: Mapping[Any, Algorithm], scale: str) -> dict[Any, Draw]:
        """What `trees`, of one question each, are to each scheme. Of one whose key is a tuple of rounds only the
        replies of these count."""
        reward, found = remembering(self.reward), {}
        weights: dict[Any, list[dict[int, float]]] = {}
        for key, scheme in schemes.items():
            groups = credit(scheme, trees, reward, scale)
            rounds = {each.node.round for group in groups for each in group}
            kept = rounds & set(key) if isinstance(key, tuple) else rounds
            weights[key] = [
                {
                    id(each.node.reply): each.advantage * each.returned.share / scheme.m
                    for each in group
                    if each.node.round in kept
                }
                for group in groups
            ]
            nothing = np.zeros((len(trees), self.sketch.size), dtype=np.float32)
            found[key] = Draw(nothing, generated(scheme, trees), kept)
        for place, tree in enumerate(trees):
            known: dict[tuple[Any, ...], Any] = {}
            for reply in (node.reply for node in tree.nodes()):
                counts = {key: weight for key in schemes if (weight := weights[key][place].get(id(reply)))}
                words = (tuple(reply.prompt_ids), tuple(reply.token_ids))
                if counts and words not in known:  # a policy that is sure of itself says the same again
                    known[words] = self.sketch(self.gradient(reply))
                for key, weight in counts.items():
                    found[key].gradients[place] += np.float32(weight) * known[words]
        return found

    def gradient(self, reply: Reply) -> Sequence[Any]:
        """∇ℓ of a reply, a tensor a parameter."""
        import torch

        n, model = len(reply.token_ids), self.policy.model
        ids = torch.tensor([reply.prompt_ids + reply.token_ids], device=model.device)
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=n + 1).logits[0, :-1]
        scores = torch.log_softmax(logits.float() / self.episode.sampling(1).temperature, dim=-1)
        chosen = scores.gather(-1, ids[0, -n:, None])
        total = chosen.mean() if self.mean_token else chosen.sum()
        return torch.autograd.grad(total, self.parameters, materialize_grads=True)


def generated(scheme: Algorithm, trees: Sequence[Tree]) -> int:
    """Tokens of the part of `trees` that a scheme would have grown."""
    parts = [cut(tree, scheme.branching(tree.roots[0].rounds)) for tree in trees]
    return sum(len(node.reply.token_ids) for part in parts for node in part.nodes())


def trainable(model: Any) -> list[Any]:
    """The parameters that training changes: a model's own, or its adapters'."""
    if hasattr(model, "peft_config"):
        model.set_adapter(model.active_adapter)  # an adapter that was loaded to generate with is frozen
    found = [each for each in model.parameters() if each.requires_grad]
    if not found:
        raise UserError("the policy has no parameter that could be trained")
    return found


def schemes_of(own: Algorithm, rounds: int, ks: Sequence[int]) -> dict[str, Algorithm]:
    """Every scheme that is defined in `rounds` rounds, with each of `ks`, by name; `own` also as it is."""
    found, own_k = [], [own.k] if hasattr(own, "k") else []
    for kind in kinds():
        made = with_k(kind, own.m, sorted({*ks, *own_k}))
        if type(own) is kind:
            made = [replace(own, **{"k": scheme.k}) if hasattr(scheme, "k") else own for scheme in made]
        found += [scheme for scheme in made if scheme.rounds(rounds) == rounds]
    return {name(scheme): scheme for scheme in found}


def measure(
    lab: Lab, questions: Sequence[Question], setting: Setting, report: Callable[[int, int, Any], None]
) -> list[dict[str, Any]]:
    """What `setting` asks for, one entry a scheme: tokens a group, signal, noise, snr, cosines, with intervals."""
    rounds, size = lab.episode.rounds, lab.sketch.size
    schemes = schemes_of(lab.algorithm, rounds, setting.ks)
    reference, whole = Value(m=lab.algorithm.m, k=setting.reference_k), tuple(range(1, rounds + 1))
    trained: dict[str, tuple[int, ...]] = {}
    found: dict[Any, Measured] = defaultdict(lambda: Measured(len(questions), size))
    total, started = setting.draws + setting.reference_draws, time.monotonic()
    for draw in range(total):
        small = draw < setting.draws
        asked: Mapping[Any, Algorithm] = schemes if small else dict.fromkeys([whole, *trained.values()], reference)
        branching = [max(widths) for widths in zip(*(each.branching(rounds) for each in asked.values()), strict=True)]
        trees = lab.trees(questions, branching)
        for key, made in lab.draw(trees, asked, lab.scale if small else "none").items():
            found[key].add(made)
            if small:
                trained[key] = tuple(sorted(made.rounds))
        report(draw + 1, total, {"seconds": time.monotonic() - started})
    own = found[name(lab.algorithm)]
    return [
        {
            **{"scheme": key, "kind": schemes[key].name, "k": getattr(schemes[key], "k", None)},
            **{"trained_rounds": len(trained[key])},
            **judged(found[key], own, found[whole], found[trained[key]]),
        }
        for key in schemes
    ]
