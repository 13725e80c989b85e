"""Preflight: can this run go well? Asked before its first step of reward, grader, prompts, windows, memory and disk.

A check that fails stops the run with one line that says what, where and how to go on; where it fails because of a flaw
that was switched on by name, the line is a warning. It draws no random number, trains nothing and writes nothing.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from motif.policies.policy import Policy
from motif.policies.weights import free_memory
from motif.rounds.episode import Episode
from motif.system import console
from motif.system.errors import UserError
from motif.system.safe_text import encodable
from motif.tasks.questions import Question
from motif.training.preflight.reply_forms import RIGHT, Check, Marks, Paid, golds_check, pay, sample
from motif.training.preflight.rules import rule_checks
from motif.training.published import Flaws
from motif.training.rewards import Reward

if TYPE_CHECKING:
    from motif.experiment import Experiment

LONGEST = 16  # questions whose prompts are rendered: the longest by bytes
TOKEN_BYTES = 4.0  # of text, as English has; what is packed takes a third
SAID = "preflight=false goes on regardless"

Tests = Mapping[str, Sequence[Question]]
Plan = tuple[str, Episode, Sequence[Question]]  # what for, how, on what


def check(
    experiment: "Experiment", policy: Policy, questions: Sequence[Question], tests: Tests, continues: bool = False
) -> dict[str, Any]:
    """What was checked and found, as JSON can hold it. Raises `UserError` where a check failed.

    A run that `continues` has passed before; only what may have changed since, memory and disk, is looked at again.
    """
    started = time.monotonic()
    numbers: dict[str, Any] = {}
    paid: Sequence[Paid] = []
    checks = [memory(experiment, policy, numbers), disk(experiment, policy, tests, numbers)]
    excused: list[Check] = []
    if not continues:
        plans = planned(experiment, questions, tests)
        worth, excused, paid = rewards(experiment, questions, tests, policy.tokenizer)
        checks = [*worth, can_spread(experiment), *windows(experiment, policy, plans, numbers), *checks]
    remarks = [each for each in checks if each.wrong and not each.severe]
    for each in excused:
        console.say(f"preflight: {each.wrong}; flaws that are on: {', '.join(experiment.flaws.on())}", style="yellow")
    for each in remarks:
        console.say(f"preflight: {each.wrong}; {each.remedy}", style="yellow")
    if failed := [each for each in checks if each.wrong and each.severe]:
        more = f" ({len(failed) - 1} more: {', '.join(each.name for each in failed[1:])})" if failed[1:] else ""
        raise UserError(" ".join(f"preflight: {failed[0].wrong}: {failed[0].remedy}{more}; {SAID}".split()))
    passed, seconds = [each.name for each in checks if not each.wrong], time.monotonic() - started
    console.say(f"preflight: {len(passed)} checks passed in {seconds:.1f} s", style="dim")
    return {
        "passed": passed,
        "warnings": {each.name: each.wrong for each in (*excused, *remarks)},
        "numbers": numbers,
        "probes": [
            {"probe": each.probe.name, "total": each.total, "terms": each.terms}
            | {"reply before the last round": each.probe.before, "reply of the last round": each.probe.last}
            for each in paid
        ],
        "seconds": round(seconds, 2),
    }


def planned(experiment: "Experiment", questions: Sequence[Question], tests: Tests) -> list[Plan]:
    """The training and each evaluation, as far as they differ."""
    trained = experiment.flaws.training_episode(experiment.episode)
    plans: list[Plan] = [("training", trained.with_rounds(experiment.algo.rounds(experiment.rounds)), questions)]
    for name, test in tests.items():
        for which in ("base", "trained") if experiment.evaluation.before else ("trained",):
            for rounds in experiment.evaluated_rounds(which):
                measured = experiment.measured(which, name, rounds)
                if (name, measured) not in [plan[:2] for plan in plans]:
                    plans.append((name, measured, test))
    return plans


def rewards(
    experiment: "Experiment", questions: Sequence[Question], tests: Tests, tokenizer: Any
) -> tuple[list[Check], list[Check], Sequence[Paid]]:
    """The checks of grader and reward; those that fail through the flaws alone; the probes."""
    flaws = experiment.flaws
    episode = flaws.training_episode(experiment.episode).with_rounds(experiment.algo.rounds(experiment.rounds))

    def found(reward: Reward, marks: Marks) -> tuple[list[Check], Sequence[Paid]]:
        first, kept = golds_check(f"{experiment.dataset.name} (training)", questions, episode, marks, tokenizer)
        checks = [first, *(golds_check(name, test, episode, marks, tokenizer)[0] for name, test in tests.items())]
        if not kept:
            return checks, []
        paid = pay(kept, reward, experiment.algo, episode, marks, tokenizer)
        if isinstance(paid, Check):
            return [*checks, paid], []
        return [*checks, *rule_checks(paid, reward)], paid

    checks, paid = found(experiment.reward, flaws.marks())
    excused: list[Check] = []
    if flaws.on() and any(each.wrong for each in checks):
        without = {each.name: each for each in found(flaws.mended(experiment.reward), Flaws().marks())[0] if each.wrong}
        excused = [each for each in checks if each.wrong and each.name not in without]
        passed = {each.name: each for each in checks if not each.wrong}
        checks = [*(without | passed).values()]  # what fails without the flaws as well, or was not reached with them
    return checks, excused, paid


def can_spread(experiment: "Experiment") -> Check:
    """Whether the replies to a question can differ."""
    name, drawn = "replies of a group can differ", experiment.episode.sampling(1)
    if experiment.algo.m < 2:
        return Check(name, f"a group of {experiment.algo.m} reply has no spread (algo.m)", "set algo.m=2 or more")
    if drawn.temperature == 0 or drawn.top_k == 1:
        words = "replies to a question are all the same (episode.temperature=0 or episode.top_k=1)"
        return Check(name, words, "set episode.temperature=1 episode.top_k=0")
    return Check(name)


def windows(experiment: "Experiment", policy: Policy, plans: Sequence[Plan], numbers: dict[str, Any]) -> list[Check]:
    """Whether the shortest reply fits into each round's window, and each round's longest prompt and window into the
    model's context. Longer than any prompt of a run: as much is carried as may be."""
    tokens = policy.tokenizer(list(tags(experiment.episode)), add_special_tokens=False)["input_ids"]
    context, setting = positions(experiment, policy)
    numbers["tokens"] = {"tags": sum(map(len, tokens)), "context": context, "rounds": []}
    narrow, long = Check("a minimal reply fits the window"), Check("prompts fit the context")
    for what, episode, questions in plans:
        if not questions:
            continue
        longest = sorted(questions, key=lambda question: len(question.text.encode("utf-8", "surrogatepass")))[-LONGEST:]
        for round in sorted({1, 2, episode.rounds} & set(range(1, episode.rounds + 1))):
            room, key = episode.sampling(round).tokens, window_key(experiment, what, episode, round)
            least = minimal(episode, round, questions, policy.tokenizer)
            handed = None if round == 1 else ""
            prompts = policy.render([episode.conversation(question, round, handed) for question in longest])
            own, question = max((len(ids), question.id) for ids, question in zip(prompts, longest, strict=True))
            prompt = own + (carried(episode, round) if round > 1 else 0)
            row = {"for": what, "rounds": episode.rounds, "round": round}
            numbers["tokens"]["rounds"].append({**row, "prompt": prompt, "window": room, "minimal": least})
            where = f"in round {round} of {episode.rounds}, {what}"
            if room < least and not narrow.wrong:
                narrow = Check(
                    narrow.name,
                    f"a minimal reply takes {least} tokens with its tags and a round has {room} ({key}; {where})",
                    f"raise {key} to several times as much",
                )
            if context and prompt + room > context and not long.wrong:
                words = f"a prompt of {prompt} tokens ({question}) and a reply of {room} do not fit {context}"
                helps = f"lower {key}{' or episode.carry.tokens' if round > 1 else ''}, or leave such questions out"
                long = Check(long.name, f"{words} ({setting}; {where})", helps)
    return [narrow, long]


def window_key(experiment: "Experiment", what: str, episode: Episode, round: int) -> str:
    """The setting that makes a round's window."""
    if what != "training" and experiment.evaluation.budget and experiment.flaws.evaluation_budget == "equal":
        return "evaluation.budget"
    return "episode.later.tokens" if round > 1 and episode.later.get("tokens") else "episode.tokens"


def tags(episode: Episode) -> list[str]:
    return [f"<{slash}{tag}>" for tag in (episode.prompts.reasoning, episode.prompts.answer) for slash in ("", "/")]


def minimal(episode: Episode, round: int, questions: Sequence[Question], tokenizer: Any) -> int:
    """Tokens of the shortest well-formed reply, its end included; of a last round, with golds as all but the longest
    hundredth of them are."""
    open_reasoning, end_reasoning, open_answer, end_answer = tags(episode)
    last = round == episode.rounds
    answers = [f"\\boxed{{{question.gold}}}" for question in sample(questions)] if last else ["-"]
    texts = [f"{open_reasoning}{end_reasoning}{open_answer}{answer}{end_answer}" for answer in answers]
    sizes = sorted(map(len, tokenizer(list(map(encodable, texts)), add_special_tokens=False)["input_ids"]))
    return sizes[int(RIGHT * (len(sizes) - 1))] + 1


def carried(episode: Episode, round: int) -> int:
    """Tokens that reach `round` from the one before, at most."""
    return int(episode.carry.most([episode.sampling(before).tokens for before in range(1, round)]))


def positions(experiment: "Experiment", policy: Policy) -> tuple[int | None, str]:
    """Tokens that a prompt and its reply may have together (None: any number), and what says so."""
    known = getattr(policy.model.config.get_text_config(), "max_position_embeddings", None)
    limits = [(known, "max_position_embeddings of the model")] if known else []
    if limit := getattr(experiment.generation, "max_length", None):
        limits.append((limit, "generation.max_length"))
    return min(limits, default=(None, ""))


def memory(experiment: "Experiment", policy: Policy, numbers: dict[str, Any]) -> Check:
    """Whether gradients, optimiser and copies of the weights, which lie in memory already, have room beside them.

    A lower bound: activations and the key-value cache come on top.
    """
    weights, trained = sizes(policy.model)
    adapters = hasattr(policy.model, "peft_config")
    copies = 0 if adapters else (experiment.flaws.futures == "base") + bool(experiment.algo.trainer.get("beta"))
    parts = {"gradients": trained, "optimiser": moments(experiment, policy.model), "copies": copies * weights}
    device = policy.model.device
    if device.type == "cuda" and getattr(experiment.generation, "mode", "") == "colocate":
        import torch

        parts["engine"] = int(experiment.generation.memory * torch.cuda.mem_get_info(device)[1])
    need, free = sum(parts.values()), free_memory(device)
    numbers["memory"] = {"weights": weights, **parts, "needed": need, "free": free}
    name = "memory"
    if need <= free:
        return Check(name)
    listed = ", ".join(f"{part} {size(amount)}" for part, amount in parts.items() if amount)
    helps = ["a smaller model"] if adapters else ["adapters (peft@model.peft=lora)", "a smaller model"]
    helps += ["a lower generation.memory"] if "engine" in parts else []
    where = "GPU" if device.type == "cuda" else "CPU"
    words = (
        f"training needs {size(need)} of memory beside the weights ({listed}) and {size(free)} are free on the {where}"
    )
    return Check(name, f"{words} (model)", f"take {' or '.join(helps)}")


def disk(experiment: "Experiment", policy: Policy, tests: Tests, numbers: dict[str, Any]) -> Check:
    """Whether checkpoints, the policy and records have room; what the run's folder holds already counts as free."""
    weights, trained = sizes(policy.model)
    saved = trained if hasattr(policy.model, "peft_config") else weights
    one = saved + moments(experiment, policy.model)
    checkpoints = (experiment.checkpoint.keep + 1) * one  # a new one is written before the oldest goes
    need = {"checkpoints": checkpoints, "policy": saved, "records": records(experiment, tests)}
    folder = experiment.folder.absolute()
    ground = next(place for place in (folder, *folder.parents) if place.exists())
    held = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
    free = shutil.disk_usage(ground).free + held
    numbers["disk"] = {**need, "checkpoint": one, "needed": sum(need.values()), "free": free}
    if sum(need.values()) <= free:
        return Check("disk")
    words = (
        f"{experiment.folder} needs {size(sum(need.values()))} ({experiment.checkpoint.keep} + 1 checkpoints of "
        f"{size(one)}, policy {size(saved)}, records {size(need['records'])}) and {size(free)} are free on that disk"
    )
    return Check(
        "disk", f"{words} (outputs)", "free some, lower checkpoint.keep or record.questions, or choose another outputs="
    )


def sizes(model: Any) -> tuple[int, int]:
    """Bytes of all weights, and of those that are trained."""
    found = [(weight.numel() * weight.element_size(), weight.requires_grad) for weight in model.parameters()]
    return sum(each for each, _ in found), sum(each for each, trained in found if trained)


def moments(experiment: "Experiment", model: Any) -> int:
    """Bytes of Adam's two moments of every trained weight; 0 for other optimisers, some of which keep less."""
    name = str(experiment.algo.trainer.get("optim") or "adamw_torch")
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    if "adam" not in name:
        return 0
    return sum(2 * weight.numel() * (1 if "8bit" in name else weight.element_size()) for weight in trained)


def records(experiment: "Experiment", tests: Tests) -> int:
    """Bytes of episodes and evaluations where every reply is as long as its window."""
    algo, episode = experiment.algo, experiment.episode
    replies, trained = 0, 0
    for round, width in enumerate(algo.branching(algo.rounds(experiment.rounds)), 1):
        replies += width if round == 1 else algo.m * (width - 1)
        trained += replies * episode.sampling(round).tokens
    kept = min(algo.questions, algo.questions if experiment.record.questions is None else experiment.record.questions)
    asked = sum(map(len, tests.values())) * experiment.evaluation.samples * (1 + experiment.evaluation.before)
    measured = asked * sum(experiment.measured("trained", "", each).budget() for each in experiment.evaluated_rounds())
    return int(TOKEN_BYTES * (algo.steps * kept * trained / 3 + measured))


def size(amount: float) -> str:
    return f"{amount / 2**30:.1f} GiB" if amount >= 2**30 else f"{amount / 2**20:.1f} MiB"
