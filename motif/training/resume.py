"""Going on with a training: from which checkpoint, and what becomes of a step that fails.

Within a step the weights change last. Until then they, the optimiser and the step's number are those of the last
finished step; random states and the ledger, which have moved on, are put back, and a checkpoint of that step is exact.
So an engine or a judge that is lost, or memory that runs out, costs the step it happened in. Where memory ran out in
the update, it is taken again in smaller micro-batches if that is the same objective. An update that was cut short has
torn the weights; then the newest checkpoint that lies there is all there is.
"""

import json
import random
from typing import Any

from motif.generation import private
from motif.rounds.replies import EngineLost
from motif.runs.checkpoints import Checkpoint
from motif.runs.folder import Run, checkpoints
from motif.runs.ledger import Ledger
from motif.runs.metric_names import renamed
from motif.system import console, processes, read_json, write_json
from motif.system.memory import OutOfMemory, ran_out, release
from motif.tasks.grading import NoJudge


class LastStep:
    """What a checkpoint of the last finished step needs besides weights and optimiser.

    `finished` is called after a step, `begun` before one, `updating` when its gradients are made and weights change.
    """

    def __init__(self, run: Run, ledger: Ledger) -> None:
        self.run, self.ledger, self.within = run, ledger, False

    def finished(self, state: Any) -> None:
        self.kept = self.ledger.as_dict(), random_states(), state.num_input_tokens_seen

    def begun(self) -> None:
        self.within = True

    def updating(self) -> None:
        self.within = False

    def save(self, trainer: Any) -> None:
        """Write the checkpoint of that step, where there is none and its weights are still there."""
        if not self.within or trainer.state.global_step in checkpoints.steps(self.run.checkpoints):
            return
        if trainer.state.global_step % trainer.args.num_iterations:
            return  # updates on the same replies would be missing
        ledger, states, trainer.state.num_input_tokens_seen = self.kept
        self.ledger.restore(ledger)
        put_back(states)
        private.save_checkpoint(trainer)
        trainer.callback_handler.on_save(trainer.args, trainer.state, trainer.control)


def train_on(trainer: Any, last: LastStep, found: Checkpoint | None) -> None:
    """Train from `found`, in smaller micro-batches from where memory runs out.

    An engine or a judge that is lost, and memory that cannot be had, raise their error, which says from where the same
    command goes on.
    """
    while True:
        if found and (size := found.note.get("micro_batch")) and size < trainer.args.per_device_train_batch_size:
            private.begin_anew(trainer, size)
        try:
            return trainer.train(resume_from_checkpoint=str(found.folder) if found else None)
        except (EngineLost, NoJudge, OutOfMemory) as error:
            if isinstance(error, EngineLost) or trainer.args.world_size == 1:  # else the others may be anywhere
                last.save(trainer)
            raise type(error)(f"{error}{going_on(last.run)}") from error
        except Exception as error:
            if not ran_out(error):
                raise
        size, problem = smaller(trainer, last)
        if trainer.args.world_size == 1:
            last.save(trainer)
        if problem or not (found := last.run.checkpoint()):
            raise OutOfMemory(f"{problem}{going_on(last.run)}")
        console.say(
            f"memory ran out in an update of {trainer.args.per_device_train_batch_size} rows at a time; going on from "
            f"step {found.step} with {size}, which is the same up to rounding (algo.micro_batch={size} begins so)",
            style="yellow",
        )
        last.ledger.restore(found.note["ledger"])
        last.ledger.redone = lost(last.run, last.ledger)
        last.run.cut(found.note["positions"])
        private.begin_anew(trainer, size)
        release()


def smaller(trainer: Any, last: LastStep) -> tuple[int, str]:
    """The next smaller micro-batch, and why it is not taken, with what to set instead; '' where it can be."""
    size, arguments = trainer.args.per_device_train_batch_size, trainer.args
    if not last.within:
        return 0, (
            "memory ran out when the weights were changed, for which the optimiser keeps two numbers of each; train "
            "adapters (peft@model.peft=lora), or take a smaller model"
        )
    rows = size * arguments.gradient_accumulation_steps
    words = f"memory ran out in an update of {size} rows at a time"
    if not (half := max((part for part in range(1, size // 2 + 1) if rows % part == 0), default=0)):
        helps = [] if arguments.gradient_checkpointing else ["set model.gradient_checkpointing=true"]
        helps += [f"lower episode.tokens, to {max(1, trainer.max_completion_length // 2)} say", "take a smaller model"]
        return 0, f"memory ran out in an update of a single row; {', or '.join(helps)}"
    if arguments.world_size > 1:
        return half, f"{words}; set algo.micro_batch={half}"
    if means := averaged(trainer):
        return half, f"{words}; set algo.micro_batch={half}, which is another objective: {means}"
    return half, ""


def averaged(trainer: Any) -> str:
    """What makes the objective depend on how a step is cut: a mean over the tokens of each part; '' for nothing."""
    if trainer.loss_type == "bnpo":  # the others divide by rows, of which each part has as many, or by all of a step
        return "algo.trainer.loss_type=bnpo is a mean over the tokens of each part"
    if private.rewards_entropy(trainer):
        return "the bonus for entropy is a mean over the tokens of each part"
    if trainer.top_entropy_quantile < 1:
        return "algo.trainer.top_entropy_quantile is of the tokens of each part"
    return "the router's loss is a mean over the tokens of each part" if trainer.aux_loss_enabled else ""


def going_on(run: Run) -> str:
    """Where the same command will go on, as the end of a message."""
    found = checkpoints.steps(run.checkpoints)
    return f"; what is done is kept, and the same command continues from step {found[0]}" if found else ""


def random_states() -> tuple[Any, ...]:
    """Those that a checkpoint holds."""
    import numpy
    import torch

    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return random.getstate(), numpy.random.get_state(), torch.get_rng_state(), devices


def put_back(states: tuple[Any, ...]) -> None:
    import numpy
    import torch

    random.setstate(states[0])
    numpy.random.set_state(states[1])
    torch.set_rng_state(states[2])
    if states[3]:
        torch.cuda.set_rng_state_all(states[3])


def newest(run: Run) -> Checkpoint | None:
    """The checkpoint to go on from; the first process chooses for all."""
    return processes.by_first(run.checkpoint)


def lost(run: Run, ledger: Ledger) -> dict[str, float]:
    """What killed processes of this run had spent after the checkpoints that were gone on from, by whole lines of its
    metrics."""
    file = run.checkpoints / "redone.json"
    before: dict[str, float] = read_json(file) if file.is_file() else {}
    lines = run.metrics_file.read_bytes().split(b"\n")[:-1] if run.metrics_file.is_file() else []
    if not lines or not (more := ledger.beyond(renamed(json.loads(lines[-1])))):
        return before
    found = {name: before.get(name, 0) + more.get(name, 0) for name in {**before, **more}}
    write_json(file, found)
    return found
