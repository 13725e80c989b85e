"""Do credit schemes agree? The advantages that each gives to a run's recorded trees, compared in pairs.

The trees are read one step at a time; what is kept are sums by question (`motif.evaluation.credit.sums`).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from motif.evaluation.credit.schemes import Credited, credit, name, readable, remembering
from motif.evaluation.credit.sums import FLAT, PairSums, SignalSums, SumsByQuestion, agreement, share
from motif.rounds.episode import Episode, Tree
from motif.rounds.records import steps_of, tree_of_record
from motif.system.errors import UserError
from motif.training import Algorithm, Reward

SAME = 1e-9  # the most by which a reward term may differ from the recorded one


class Agreement:
    """Sums over the trees that are added: of signals by scheme and round (None: all rounds of a group), and of pairs by
    two schemes and round."""

    def __init__(self, schemes: Sequence[Algorithm]) -> None:
        self.names = [name(scheme) for scheme in schemes]
        self.signals: dict[tuple[str, int | None], SumsByQuestion] = defaultdict(lambda: SumsByQuestion(SignalSums))
        self.pairs: dict[tuple[str, str, int], SumsByQuestion] = defaultdict(lambda: SumsByQuestion(PairSums))

    def add(self, question: str, credited: Mapping[str, Sequence[Credited]]) -> None:
        """Add one tree: for each scheme, the replies that it trains. A reply that two schemes train is one pair."""
        advantages: dict[str, dict[int, Credited]] = {}
        for scheme, replies in credited.items():
            advantages[scheme] = {id(reply.node.reply): reply for reply in replies}
            silent = [abs(reply.advantage) < FLAT for reply in replies]
            self.signals[scheme, None].add(question, SignalSums(1, all(silent)))
            for reply, is_silent in zip(replies, silent, strict=True):
                self.signals[scheme, reply.node.round].add(question, SignalSums(1, is_silent))
        for one, other in combinations(self.names, 2):
            for key, reply in advantages[one].items():
                if key in advantages[other]:
                    sums = PairSums.of(reply.advantage, advantages[other][key].advantage)
                    self.pairs[one, other, reply.node.round].add(question, sums)

    def result(self) -> dict[str, Any]:
        """`signal` and `agreement` as lists, with intervals."""
        signal = []
        for (scheme, round), sums in sorted(self.signals.items(), key=self._order):
            by_question = sums.by_question()
            signal.append({"scheme": scheme, "round": round, **share(by_question.silent, by_question.n)})
        return {
            "signal": signal,
            "agreement": [
                {"one": one, "other": other, "round": round, **agreement(sums)}
                for (one, other, round), sums in sorted(self.pairs.items(), key=self._order)
            ],
        }

    def _order(self, entry: tuple[Sequence[Any], Any]) -> tuple[int, ...]:
        """Sorts schemes in their order and rounds in theirs, None first."""
        return tuple(self.names.index(part) if part in self.names else part or 0 for part in entry[0])


def agree(
    file: Path, own: Algorithm, episode: Episode, reward: Reward, report: Callable[[int, int, Any], None]
) -> tuple[dict[str, Any], list[str]]:
    """What every scheme makes of the trees in `file`, which the run's `own` algorithm grew of `episode` in training.

    Returns:
        The result: counts, the schemes, why the others are `undefined`, the largest difference of `own`'s advantages
        from the `recorded` ones, `signal` and `agreement`. And lines on what could not be read.

    Raises:
        UserError: where a reward term reads otherwise on a record than it did in training, or there is no tree.
    """
    schemes, undefined = readable(own, episode.rounds)
    scale = own.trainer.get("scale_rewards") or "group"
    sums, torn, steps, difference = Agreement(schemes), list[str](), list[int](), 0.0
    groups, questions = 0, set[str]()
    for records in steps_of(file, torn):
        step = records[0].get("step")
        if scale == "batch" and len(records) < own.questions:
            raise UserError(
                f"algo.trainer.scale_rewards=batch divides by the spread of all {own.questions} questions of a step, "
                f"and {file} holds {len(records)} of step {step}; record.questions=null keeps all"
            )
        try:
            trees = [tree_of_record(record, episode) for record in records]
            asked_once = remembering(reward)
            credited = {name(scheme): credit(scheme, trees, asked_once, scale) for scheme in schemes}
            for place, (tree, record) in enumerate(zip(trees, records, strict=True)):
                difference = max(difference, difference_from_record(credited[name(own)][place], tree, record))
                sums.add(tree.question.id, {scheme: of_trees[place] for scheme, of_trees in credited.items()})
        except UserError as error:
            raise UserError(f"{file}, step {step}: {error}") from None
        questions.update(tree.question.id for tree in trees)
        groups += len(trees)
        steps.append(int(step or 0))
        report(len(steps), own.steps, {})
    if not groups:
        raise UserError(f"{file} holds no episode; record.questions keeps those of so many questions a step")
    result = {
        "groups": groups,
        "questions": len(questions),
        "steps": [steps[0], steps[-1]],
        "scale": scale,
        "own": name(own),
        "schemes": sums.names,
        "undefined": undefined,
        "recorded": difference,
        **sums.result(),
    }
    return result, torn


def difference_from_record(replies: Sequence[Credited], tree: Tree, record: Mapping[str, Any]) -> float:
    """The largest difference between the advantages of `replies` and those in the `record` of their tree."""
    nodes, waiting = [], list(record["replies"])
    while waiting:  # in the order of `Tree.nodes`
        nodes.append(waiting.pop(0))
        waiting.extend(nodes[-1]["children"])
    recorded = {id(node.reply): item for node, item in zip(tree.nodes(), nodes, strict=True)}
    largest = 0.0
    for reply in replies:
        item = recorded[id(reply.node.reply)]
        if "values" not in item or "advantage" not in item:
            raise UserError(f"a reply of round {reply.node.round} that was trained has no values or advantage recorded")
        for term, value in reply.values.items():
            before = item["values"].get(term)
            if before is None or abs(value - before) > SAME:
                raise UserError(
                    f"the reward term {term} is {value:g} by the record and was {before} in training: it looks at what "
                    "records do not hold, or has changed since"
                )
        largest = max(largest, abs(reply.advantage - item["advantage"]))
    return largest
