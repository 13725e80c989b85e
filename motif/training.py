"""Training by TRL's GRPOTrainer. No trainer subclass and no placeholder reward.

TRL asks `Rollout` for completions; it grows the trees, futures included, with the policy that is being trained. The
values of the reward's terms come back to TRL through its reward functions; TRL makes advantages of them, and takes
the step. `Recorder` writes down what happened.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from statistics import fmean, pstdev, stdev
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from transformers.trainer_utils import set_seed
from trl import GRPOConfig, GRPOTrainer

from motif import measures
from motif.algorithms import Algorithm, Row
from motif.checks import UserError, hint
from motif.compute import Ledger
from motif.data import Question
from motif.episode import Episode, Tree, grade, grow
from motif.generation import Generate, Reply, Sampling
from motif.models import Policy
from motif.prompts import Conversation
from motif.rewards import Reward
from motif.runs import Run, Stopped, as_record, write_json
from motif.screen import Report
from motif.tracking import Tracker

OURS = {  # what TRL is told by the suite itself, and the setting to use instead
    "output_dir": "outputs",
    "max_steps": "algo.steps",
    "num_generations": "algo.m",
    "generation_batch_size": "algo.questions",
    "per_device_train_batch_size": "algo.micro_batch",
    "gradient_accumulation_steps": "algo.micro_batch",
    "steps_per_generation": "algo.questions",
    "max_completion_length": "episode.tokens",
    "temperature": "episode.temperature",
    "top_p": "episode.top_p",
    "top_k": "episode.top_k",
    "seed": "seed",
    "report_to": "tracking",
    "save_steps": "checkpoint.every",
    "save_total_limit": "checkpoint.keep",
}
KEPT = ("loss", "grad_norm", "learning_rate", "entropy", "kl", "reward", "reward_std")  # of TRL's own log
ADVANTAGE_EPSILON = 1e-4  # TRL's ε


class Rollout:
    """The suite's side of TRL: `rollout_func` and the reward functions of one training.

    Called with questions' ids, each repeated for its first-round replies. A step's random numbers are keyed by
    (seed, step, process, round), so a step can be done again exactly.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        episode: Episode,
        reward: Reward,
        questions: Sequence[Question],
        generate: Generate,
        tokenizer: Any,
        ledger: Ledger,
        seed: int,
        scale_rewards: str = "group",
    ) -> None:
        self.algorithm, self.episode, self.reward = algorithm, episode, reward
        self.questions = {question.id: question for question in questions}
        self.generate, self.tokenizer, self.ledger = generate, tokenizer, ledger
        self.seed, self.scale_rewards = seed, scale_rewards
        self.trees: list[Tree] = []
        self.notes: dict[int, dict[str, Any]] = {}  # values, reward and advantage of trained nodes, by id()
        self.metrics: dict[str, float] = {}

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        """TRL's `rollout_func`: rows of prompt ids, completion ids, and the values of the reward's terms."""
        group = self.algorithm.m
        if any(len(set(prompts[place : place + group])) > 1 for place in range(0, len(prompts), group)):
            raise UserError(
                "a question's replies are spread over processes; make algo.questions a multiple of their number"
            )
        questions = [self.questions[id] for id in prompts[::group]]
        key = (self.seed * 1_000_003 + trainer.state.global_step) * 1009 + trainer.accelerator.process_index
        self.trees = grow(
            questions,
            self.episode,
            self.algorithm.branching(self.episode.rounds),
            self._timed(),
            self.tokenizer,
            lambda round: self.episode.sampling(round).seeded(key * 1009 + round),
        )
        with self.ledger.phase("reward"):
            grade(self.trees)
            rows = [row for tree in self.trees for row in self.algorithm.rows(tree)]
            values = [self.reward.of(row.path, row.futures) for row in rows]
        self.ledger.count(self.trees)
        self.ledger.counts["trained_tokens"] += sum(len(row.path[-1].reply.token_ids) for row in rows)
        self._note(rows, values)
        replies = [row.path[-1].reply for row in rows]
        return {
            "prompt_ids": [reply.prompt_ids for reply in replies],
            "completion_ids": [reply.token_ids for reply in replies],
            "logprobs": None,
            "values": values,
        }

    def _timed(self) -> Generate:
        """The generator, its time counted as `rollout` in round 1 and as `future_rollout` from there on."""
        calls = 0

        def generate(talks: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
            nonlocal calls
            calls += 1
            with self.ledger.phase("rollout" if calls == 1 else "future_rollout"):
                return self.generate(talks, sampling)

        return generate

    def _note(self, rows: list[Row], values: list[dict[str, float]]) -> None:
        rewards = [self.reward.total(value) for value in values]
        found = advantages(rewards, self.algorithm.m, self.scale_rewards)
        self.notes = {
            id(row.path[-1]): {"values": value, "reward": reward, "advantage": advantage}
            for row, value, reward, advantage in zip(rows, values, rewards, found, strict=True)
        }
        groups = [rewards[place : place + self.algorithm.m] for place in range(0, len(rewards), self.algorithm.m)]
        self.metrics = {
            **measures.of_episodes(self.trees),
            **measures.by_round(self.trees),
            "zero_spread": fmean(pstdev(group) < 1e-8 for group in groups),
        }

    def reward_functions(self) -> list[Callable[..., list[float]]]:
        """TRL's reward functions, one a term, so that TRL weighs and logs each; the first reports metrics."""

        def function(name: str) -> Callable[..., list[float]]:
            def term(
                values: list[Mapping[str, float]], log_metric: Callable[[str, float], None], **_: Any
            ) -> list[float]:
                for key, value in self.metrics.items():
                    log_metric(key, value)
                self.metrics = {}
                return [value[name] for value in values]

            term.__name__ = name
            return term

        return [function(name) for name in self.reward.weights]


def advantages(rewards: Sequence[float], group: int, scale: str = "group") -> list[float]:
    """(r − group mean) / (spread + ε), the spread being that of the group, of the batch, or none, as TRL does it."""
    found = []
    for place in range(0, len(rewards), group):
        own = rewards[place : place + group]
        spread = {"group": own, "batch": rewards}.get(scale)
        divisor = stdev(spread) + ADVANTAGE_EPSILON if spread else 1.0
        found += [(reward - fmean(own)) / divisor for reward in own]
    return found


class Recorder(TrainerCallback):
    """Writes each step to the run's folder and its tracker, notes positions in checkpoints, and stops on a signal."""

    def __init__(self, rollout: Rollout, run: Run, tracker: Tracker, report: Report, episodes: int | None, tables: int):
        self.rollout, self.run, self.tracker, self.report = rollout, run, tracker, report
        self.episodes, self.tables = episodes, tables
        self.stopping = False
        self.before: dict[str, float] = {}
        self.started = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.before, self.started = dict(self.rollout.ledger.seconds), time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        ledger = self.rollout.ledger
        inside = sum(
            ledger.seconds[name] - self.before.get(name, 0.0) for name in ("rollout", "future_rollout", "reward")
        )
        ledger.seconds["update"] += time.perf_counter() - self.started - inside
        if self.stopping:
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        metrics = {f"train/{name}": value for name, value in trl_metrics(logs).items()}
        ledger = self.rollout.ledger
        metrics |= {f"train/{name}": count for name, count in ledger.counts.items()}
        times = {f"seconds/{name}": round(s - self.before.get(name, 0.0), 4) for name, s in ledger.seconds.items()}
        self.run.record({"step": state.global_step, **metrics, **times})
        self.tracker.log({**metrics, **times}, state.global_step)
        self._write_episodes(state.global_step)
        shown = {"reward": metrics["train/reward"], "accuracy": metrics["train/accuracy"]}
        self.report(state.global_step, state.max_steps, shown)

    def _write_episodes(self, step: int) -> None:
        trees = self.rollout.trees[: self.episodes]
        if trees:
            self.run.write_episodes({"step": step, **as_record(tree, self.rollout.notes)} for tree in trees)
        if self.tables and (step == 1 or step % self.tables == 0):
            columns = ("question", "gold", "reply", "carried", "reward", "advantage", "correct futures", "futures")
            rows = []
            for tree in self.rollout.trees:
                for row in self.rollout.algorithm.rows(tree):
                    node, right = row.path[-1], sum(future[-1].correct for future in row.futures)
                    note = self.rollout.notes[id(node)]
                    texts = (tree.question.text, tree.question.gold, node.reply.text, node.carried or "")
                    rows.append((*texts, note["reward"], note["advantage"], right, len(row.futures)))
            self.tracker.table("episodes", columns, rows, step)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            note = {
                "step": state.global_step,
                "positions": self.run.positions(),
                "ledger": self.rollout.ledger.as_dict(),
            }
            write_json(self.run.checkpoints / f"checkpoint-{state.global_step}" / "motif.json", note)


def trl_metrics(logs: Mapping[str, Any]) -> dict[str, float]:
    """What is kept of TRL's log: its own key figures, each reward's mean, the clipped share, and everything of ours."""
    kept = {}
    for name, value in logs.items():
        if name.startswith("rewards/") and name.endswith("/mean"):
            kept[f"reward/{name.split('/')[1]}"] = value
        elif name == "clip_ratio/region_mean":
            kept["clipped"] = value
        elif name in KEPT or name.split("/")[0] in OWN_METRICS:
            kept[name] = value
    return {name: float(value) for name, value in kept.items() if value is not None}


OWN_METRICS = {
    *("accuracy", "unparsable", "truncated", "copied", "zero_spread", "well_formed", "no_answer", "tokens"),
    *("progress", "progress_cut", "progress_cleaned"),
}


def trainer_arguments(
    algorithm: Algorithm, episode: Episode, reward: Reward, seed: int, folder: Path, every: int, keep: int, gpu: bool
) -> GRPOConfig:
    """TRL's configuration for these choices. Unknown or contradictory `algo.trainer` keys are `UserError`s."""
    known = {field.name for field in fields(GRPOConfig)}
    for key in algorithm.trainer:
        if key in OURS:
            raise UserError(f"algo.trainer.{key} is set by {OURS[key]}=")
        if key not in known:
            raise UserError(f"algo.trainer.{key} is not an argument of TRL's GRPOConfig{hint(key, known)}")
    rows = algorithm.questions * algorithm.m
    processes = int(os.environ.get("WORLD_SIZE", 1))
    micro = algorithm.micro_batch or rows // processes
    if rows % (micro * processes):
        raise UserError(
            f"algo.micro_batch={micro} times {processes} processes must divide the {rows} rows of a step "
            f"(algo.questions={algorithm.questions} × algo.m={algorithm.m})"
        )
    sampling = episode.sampling(1)
    if sampling.temperature == 0:
        raise UserError(
            "episode.temperature must be above 0 for training: greedy replies to a question are all the same"
        )
    options = {key: value for key, value in algorithm.trainer.items() if value is not None}
    try:
        return GRPOConfig(
            output_dir=str(folder),
            max_steps=algorithm.steps,
            num_generations=algorithm.m,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=rows // (micro * processes),
            max_completion_length=sampling.tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            reward_weights=list(reward.weights.values()),
            seed=seed,
            report_to="none",
            logging_steps=1,
            disable_tqdm=True,
            save_strategy="steps",
            save_steps=every,
            save_total_limit=keep,
            remove_unused_columns=False,
            use_cpu=not gpu,
            **options,
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"algo.trainer: {str(error).strip().splitlines()[0]}") from error


def train(
    policy: Policy,
    algorithm: Algorithm,
    episode: Episode,
    reward: Reward,
    questions: Sequence[Question],
    generate: Generate,
    seed: int,
    run: Run,
    tracker: Tracker,
    ledger: Ledger,
    report: Report,
    every: int,
    keep: int,
    episodes: int | None,
    tables: int,
) -> None:
    """Train `policy` in place, from the newest checkpoint of `run` where there is one.

    Raises `Stopped` after a checkpoint where the process was asked to stop.
    """
    gpu = policy.model.device.type == "cuda"
    arguments = trainer_arguments(algorithm, episode, reward, seed, run.checkpoints, every, keep, gpu)
    rollout = Rollout(
        algorithm, episode, reward, questions, generate, policy.tokenizer, ledger, seed, arguments.scale_rewards
    )
    recorder = Recorder(rollout, run, tracker, report, episodes, tables)
    set_seed(seed)
    trainer = GRPOTrainer(
        model=policy.model,
        reward_funcs=rollout.reward_functions(),  # type: ignore[arg-type]
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": [question.id for question in questions]}),
        processing_class=policy.tokenizer,
        rollout_func=rollout,
        callbacks=[recorder],
    )
    trainer.remove_callback(PrinterCallback)
    found = run.checkpoint()
    if found:
        run.cut(found[1]["positions"])
        ledger.restore(found[1]["ledger"])
    else:
        run.cut({})
    with stoppable(recorder):
        trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
    if recorder.stopping and trainer.state.global_step < algorithm.steps:
        raise Stopped(f"stopped after step {trainer.state.global_step} of {algorithm.steps}; a checkpoint is written")
    policy.model.eval()


@contextmanager
def stoppable(recorder: Recorder) -> Any:
    """Within the block the first Ctrl-C, SIGTERM or SIGUSR2 ends training after its step, the second at once."""

    def stop(number: int, frame: Any) -> None:
        if recorder.stopping:
            raise KeyboardInterrupt
        recorder.stopping = True

    try:
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)}
    except ValueError:  # not in the main thread, which alone can have handlers
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
