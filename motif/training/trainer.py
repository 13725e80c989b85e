"""Training by TRL's GRPOTrainer. No placeholder reward.

TRL asks a `Rollout` for completions and for the values of the reward's terms, and takes the step. Advantages and
weights of rows are ours. `recorder` writes down what happens.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from motif.generation import private
from motif.policies.policy import Policy
from motif.runs.budget import Limits, reached
from motif.runs.checkpoints import Checkpoints, check_made_with
from motif.runs.flops import Cost
from motif.runs.folder import Run
from motif.runs.ledger import forget_peak
from motif.runs.tracking.base import Tracker
from motif.runs.watchdogs import Watch
from motif.system import UserError, processes
from motif.system.console import Report
from motif.system.signals import Stopped, handled
from motif.training.nonfinite import within_range
from motif.training.recorder import Measure, Recorder
from motif.training.resume import lost, newest, train_on
from motif.training.rollout import Rollout


def make_trainer(
    policy: Policy, arguments: GRPOConfig, rollout: Rollout, fraction: Callable[[], float] = lambda: 0.0
) -> GRPOTrainer:
    """TRL's trainer of `policy`, which has done nothing yet.

    Args:
        policy: whose model is trained in place.
        arguments: of `trainer_arguments`.
        rollout: that TRL calls.
        fraction: of the budget that is spent. The learning rate's schedule ends where steps or budget do.
    """
    order = asked(list(rollout.questions), rollout.algorithm.questions, arguments)
    trainer = GRPOTrainer(
        model=policy.model,
        reward_funcs=rollout.reward_functions(),  # type: ignore[arg-type]
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": order}),
        processing_class=policy.tokenizer,
        rollout_func=rollout,
    )
    trainer.remove_callback(PrinterCallback)
    private.own_rows(trainer, rollout.credit)
    trainer.create_scheduler = partial(scheduled, trainer.create_scheduler, fraction)  # type: ignore[method-assign]
    return trainer


def asked(questions: Sequence[str], a_step: int, arguments: GRPOConfig) -> list[str]:
    """The ids of `questions`, at least `a_step` of them, in the order in which a training asks them: pass after pass,
    which for TRL are one.

    Each pass is a permutation that the seed and the pass decide, less the last questions that make no whole step: so a
    step has no question twice, and a training that goes on anywhere asks what comes next. TRL's own sampler begins
    with the first pass again.
    """
    a_pass, needed = len(questions) // a_step * a_step, -(-arguments.max_steps // arguments.num_iterations) * a_step
    generator = torch.Generator().manual_seed(arguments.seed)
    orders = (torch.randperm(len(questions), generator=generator)[:a_pass] for _ in range(-(-needed // a_pass)))
    return [questions[place] for place in torch.cat(list(orders))[:needed].tolist()]


def scheduled(
    create: Callable[..., Any], fraction: Callable[[], float], num_training_steps: int, optimizer: Any = None
) -> Any:
    """The scheduler that `create` makes, its steps no fewer than `fraction()` of all: it ends with the budget.

    It is asked within a step, when each process has seconds of its own, so the first one's counts for all.
    """
    scheduler = create(num_training_steps, optimizer)
    if isinstance(scheduler, torch.optim.lr_scheduler.LambdaLR):

        def hastened(rate: Callable[[int], float]) -> Callable[[int], float]:
            return lambda step: rate(max(step, int(processes.of_first(fraction()) * num_training_steps)))

        scheduler.lr_lambdas = [hastened(rate) for rate in scheduler.lr_lambdas]
    return scheduler


def train(
    trainer: GRPOTrainer,
    rollout: Rollout,
    run: Run,
    tracker: Tracker,
    report: Report,
    episodes: int | None = None,
    tables: int = 0,
    limits: Limits | None = None,
    checkpoints: Checkpoints | None = None,
    watch: Watch | None = None,
    held_out: Measure = lambda step: {},
) -> None:
    """Train the trainer's policy in place, from the newest checkpoint of `run` where there is one.

    Args:
        trainer: of `make_trainer`.
        rollout: that the trainer was made with.
        run: the folder.
        tracker: that is told every step's metrics.
        report: moves the progress bar.
        episodes: questions a step whose trees are kept; None for all.
        tables: steps between tables of episodes for the tracker; 0 for none.
        limits: of the budget; training ends when one is reached, or after `algo.steps`.
        checkpoints: how many are kept, and which differences of a machine are accepted.
        watch: says when there is a warning.
        held_out: measures the policy after a step.

    Raises:
        Stopped: where the process was asked to stop, after a checkpoint.
        EngineLost, NoJudge, OutOfMemory: after a checkpoint of the last finished step.
        NotFinite: without one.
    """
    ledger, limits, checkpoints = rollout.ledger, limits or {}, checkpoints or Checkpoints()
    recorder = Recorder(
        rollout,
        run,
        tracker,
        report,
        micro_batch=trainer.args.per_device_train_batch_size,
        beta=trainer.beta,
        episodes=episodes,
        tables=tables,
        limits=limits,
        keep=checkpoints.keep,
        watch=watch or Watch(),
        held_out=held_out,
    )
    trainer.add_callback(recorder)
    found = newest(run)
    if found:
        check_made_with(found, checkpoints.accept)
        ledger.restore(found.note["ledger"])
    if trainer.is_world_process_zero():
        ledger.redone = lost(run, ledger)
        run.cut(found.note["positions"] if found else {})
        tracker.resume(run.metrics())
    ledger.cost = Cost.of_trainer(trainer)
    forget_peak()
    steps, model = trainer.args.max_steps, cast(torch.nn.Module, trainer.model)
    if found and (found.step >= steps or reached(limits, ledger)):  # from its end the trainer would take one more
        private.load_weights(trainer, found.folder)
        trainer.state.global_step = found.step  # by which an engine knows that the weights are others
        model.eval()
        return
    try:
        with stoppable(recorder), within_range(trainer, run):
            train_on(trainer, recorder.last, found)
    except UserError as error:
        tracker.alert("training stopped", str(error), trainer.state.global_step + 1)
        raise
    if asked := recorder.stopped or recorder.signal:
        raise Stopped(f"stopped after step {trainer.state.global_step} of {steps}; a checkpoint is written", asked)
    model.eval()


@contextmanager
def stoppable(recorder: Any) -> Iterator[None]:
    """Within the block the first Ctrl-C, SIGTERM or SIGUSR2 ends training after its step, the second at once.

    The number of the first is noted in `recorder.signal`.
    """

    def stop(number: int, frame: Any) -> None:
        if recorder.signal:
            raise KeyboardInterrupt
        if number == signal.SIGINT and processes.first():
            os.write(2, b"\nfinishing this step; Ctrl-C again ends at once\n")  # print() may have been interrupted
        recorder.signal = number

    with handled(stop):
        yield
