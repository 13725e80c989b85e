"""How good an estimate of the policy gradient is a scheme's? Many small draws of each, against a large reference.

A draw is one group of each question, as a step of training makes it. Its gradient is that of the loss at the policy
that wrote the replies (ratio 1, no KL term, no clipping); of one question

    g = (1/m) Σ_trajectories (1/T) Σ_rows A_row ∇ℓ(row),

where ℓ is the mean of the reply's token log-probabilities under the losses `grpo` and `sapo`, and their sum under the
others, at the temperature of training. The reference is `Value` undivided, with many continuations and draws of its
own: in all rounds, and in the rounds that the scheme trains. All schemes read the same trees of a draw, each the part
that it would have grown. A gradient is kept as a count sketch (Charikar, Chen & Farach-Colton 2002): its inner products
are right on average, within about 1/√size of the norms' product. `noise` says what these gradients come to.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from motif.evaluation.credit.noise import Draw, GradientSums, estimates
from motif.evaluation.credit.schemes import Credited, credit, grown_by, kinds, name, remembering, with_k
from motif.generation.engines import Transformers
from motif.policies.policy import Policy
from motif.rounds import Episode, Reply, Tree, draw_key, grow
from motif.system.errors import UserError
from motif.tasks.questions import Question
from motif.training import Algorithm, Reward, Value

SIZE = 1 << 16  # of a sketch
MEAN_TOKEN = ("grpo", "sapo")  # losses in which a reply's tokens are averaged; the others add them up
Key = str | tuple[int, ...]  # a scheme by its name, or the reference by the rounds that are counted


@dataclass(frozen=True)
class Setting:
    """`draws` of each scheme on the same `questions`, with each of `ks` continuations where it has such a setting; a
    reference of `reference_draws` draws with `reference_k`."""

    questions: int = 64
    draws: int = 4
    ks: tuple[int | str, ...] = (2,)
    reference_k: int = 16
    reference_draws: int = 2


class Sketch:
    """A fixed random linear map of gradients to `size` numbers: each entry is added to one of them, or subtracted."""

    def __init__(self, parameters: Sequence[Any], size: int = SIZE, seed: int = 0) -> None:
        import torch

        self.size, generator = size, torch.Generator().manual_seed(seed)
        self.cells = [
            torch.randint(2 * size, (parameter.numel(),), generator=generator, dtype=torch.int32).to(parameter.device)
            for parameter in parameters
        ]

    def __call__(self, gradients: Sequence[Any]) -> Any:
        """The sketch (size,) of one gradient, given as a tensor a parameter."""
        import torch

        sums = torch.zeros(2 * self.size, device=gradients[0].device)
        for cells, gradient in zip(self.cells, gradients, strict=True):
            sums.index_add_(0, cells, gradient.flatten().float())
        return (sums[: self.size] - sums[self.size :]).cpu().numpy()


@dataclass
class Lab:
    """A policy, and what a run trains it with: the `episode` as in training, the reward, the run's own `algorithm`, of
    which m, the loss and the scaling are taken, and `marks`, which grades trees in place. `size` is of a sketch."""

    policy: Policy
    episode: Episode
    reward: Reward
    algorithm: Algorithm
    marks: Callable[[Sequence[Tree]], None]
    seed: int = 0
    size: int = SIZE

    def __post_init__(self) -> None:
        self.generate = Transformers().generator(self.policy)
        self.parameters = trainable(self.policy.model)
        self.sketch = Sketch(self.parameters, self.size, self.seed)
        self.scale = self.algorithm.trainer.get("scale_rewards") or "group"
        self.mean_token = self.algorithm.trainer.get("loss_type") in MEAN_TOKEN
        self.draws = 0

    def trees(self, questions: Sequence[Question], branching: Sequence[int]) -> list[Tree]:
        """New trees of `questions`, graded; no two calls share random numbers."""
        self.draws += 1
        trees = grow(
            questions,
            self.episode,
            branching,
            self.generate,
            self.policy.tokenizer,
            self.episode.sampling,
            draw=partial(draw_key, "lab", self.seed, self.draws),
        )
        self.marks(trees)
        return trees

    def draw(self, trees: Sequence[Tree], schemes: Mapping[Any, Algorithm], scale: str) -> dict[Any, Draw]:
        """The draw of each scheme that graded `trees`, of one question each, make. Where the key of a scheme is a tuple
        of rounds, only replies of these rounds count. `scale` is TRL's scale_rewards."""
        reward, draws = remembering(self.reward), {}
        weights: dict[Any, list[dict[int, float]]] = {}  # of replies by their id(), for each tree
        for key, scheme in schemes.items():
            groups = credit(scheme, trees, reward, scale)
            rounds = {reply.node.round for group in groups for reply in group}
            rounds = rounds & set(key) if isinstance(key, tuple) else rounds
            weights[key] = [loss_weights(group, scheme.m, rounds) for group in groups]
            zeros = np.zeros((len(trees), self.sketch.size), dtype=np.float32)
            draws[key] = Draw(zeros, generated_tokens(scheme, trees, reward), rounds)
        for place, tree in enumerate(trees):
            known: dict[tuple[Any, ...], Any] = {}
            for reply in (node.reply for node in tree.nodes()):
                own = {key: weight for key in schemes if (weight := weights[key][place].get(id(reply)))}
                text = (tuple(reply.prompt_ids), tuple(reply.token_ids))
                if own and text not in known:  # a confident policy writes the same reply again
                    known[text] = self.sketch(self.gradient(reply))
                for key, weight in own.items():
                    draws[key].gradients[place] += np.float32(weight) * known[text]
        return draws

    def gradient(self, reply: Reply) -> Sequence[Any]:
        """∇ℓ of a reply, a tensor a parameter."""
        import torch

        n, model = len(reply.token_ids), self.policy.model
        ids = torch.tensor([reply.prompt_ids + reply.token_ids], device=model.device)
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=n + 1).logits[0, :-1]
        logprobs = torch.log_softmax(logits.float() / self.episode.sampling(1).temperature, dim=-1)
        chosen = logprobs.gather(-1, ids[0, -n:, None])
        total = chosen.mean() if self.mean_token else chosen.sum()
        return torch.autograd.grad(total, self.parameters, materialize_grads=True)


def loss_weights(group: Sequence[Credited], m: int, rounds: set[int]) -> dict[int, float]:
    """The factor of ∇ℓ in the gradient of a group, for the replies of `rounds` by their id()."""
    counted = [reply for reply in group if reply.node.round in rounds]
    return {id(reply.node.reply): reply.advantage * reply.returned.share / m for reply in counted}


def generated_tokens(scheme: Algorithm, trees: Sequence[Tree], reward: Reward) -> int:
    """Tokens of the part of `trees` that a scheme would have grown."""
    parts = [grown_by(scheme, tree, reward) for tree in trees]
    return sum(len(node.reply.token_ids) for part in parts for node in part.nodes())


def trainable(model: Any) -> list[Any]:
    """The parameters that training changes: a model's own, or its adapters'."""
    if hasattr(model, "peft_config"):
        model.set_adapter(model.active_adapter)  # an adapter that was loaded for generation is frozen
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise UserError("the policy has no parameter that could be trained")
    return parameters


def schemes_of(own: Algorithm, rounds: int, ks: Sequence[int | str]) -> dict[str, Algorithm]:
    """Every scheme that is defined in `rounds` rounds, with each of `ks`, by name; `own` also as it is."""
    schemes: list[Algorithm] = []
    own_k = [own.k] if hasattr(own, "k") else []
    for kind in kinds():
        variants = with_k(kind, own.m, sorted({*ks, *own_k}, key=lambda k: (isinstance(k, str), k)))
        if type(own) is kind:
            variants = [replace(own, **{"k": scheme.k}) if hasattr(scheme, "k") else own for scheme in variants]
        schemes += [scheme for scheme in variants if scheme.rounds(rounds) == rounds]
    return {name(scheme): scheme for scheme in schemes}


def measure(
    lab: Lab, questions: Sequence[Question], setting: Setting, report: Callable[[int, int, Any], None]
) -> list[dict[str, Any]]:
    """The estimates of every scheme (`noise.estimates`), one entry each."""
    rounds = lab.episode.rounds
    schemes = schemes_of(lab.algorithm, rounds, setting.ks)
    reference, all_rounds = Value(m=lab.algorithm.m, k=setting.reference_k), tuple(range(1, rounds + 1))
    trained: dict[str, tuple[int, ...]] = {}
    sums: dict[Key, GradientSums] = defaultdict(lambda: GradientSums(len(questions), lab.sketch.size))
    total, started = setting.draws + setting.reference_draws, time.monotonic()
    for draw in range(total):
        of_schemes = draw < setting.draws
        references = dict.fromkeys([all_rounds, *trained.values()], reference)
        drawn: Mapping[Any, Algorithm] = schemes if of_schemes else references
        widths = [algorithm.widest(rounds) for algorithm in drawn.values()]
        trees = lab.trees(questions, branching=[max(of_round) for of_round in zip(*widths, strict=True)])
        for key, made in lab.draw(trees, drawn, lab.scale if of_schemes else "none").items():
            sums[key].add(made)
            if of_schemes:
                trained[key] = tuple(sorted(made.rounds))
        report(draw + 1, total, {"seconds": time.monotonic() - started})
    own = sums[name(lab.algorithm)]
    return [
        {
            "scheme": key,
            "kind": scheme.name,
            "k": getattr(scheme, "k", None),
            "trained_rounds": len(trained[key]),
            **estimates(sums[key], own, reference=sums[all_rounds], reference_of_its_rounds=sums[trained[key]]),
        }
        for key, scheme in schemes.items()
    ]
