"""What TRL is told: the configuration of its GRPOTrainer, made of an experiment's choices."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, get_scheduler
from trl import GRPOConfig

from motif.rounds.episode import Episode
from motif.runs.checkpoints import Checkpoints, drafts
from motif.system import UserError, first_line, hint, number, one_of, processes, whole
from motif.training.algorithms import Algorithm
from motif.training.rewards import Reward
from motif.training.trainer_keys import OURS_TO_DO, check_keys, check_temperature


def trainer_arguments(
    algorithm: Algorithm, episode: Episode, reward: Reward, seed: int, folder: Path, checkpoints: Checkpoints
) -> GRPOConfig:
    """TRL's configuration for these choices. Unknown or contradictory `algo.trainer` keys are `UserError`s."""
    check_keys(algorithm.trainer)
    known = {field.name: field.default for field in fields(GRPOConfig)}
    for key, value in algorithm.trainer.items():
        if key not in known:
            raise UserError(f"algo.trainer.{key} is not an argument of TRL's GRPOConfig{hint(key, known)}")
        if (isinstance(known[key], bool) or key == "bf16") and value is not None:
            one_of(f"algo.trainer.{key}", value, (True, False))
        if isinstance(known[key], int | float) and not isinstance(known[key], bool) and value is not None:
            number(f"algo.trainer.{key}", value)
    replies = algorithm.m * algorithm.trained_rounds(episode.rounds)
    rows = algorithm.questions * replies
    shares = processes.count()
    micro = algorithm.micro_batch or max(1, rows // shares)
    if rows % (micro * shares):
        raise UserError(
            f"algo.micro_batch={micro} times {shares} processes must divide the {rows} rows of a step "
            f"(algo.questions={algorithm.questions} × {replies} trained replies a question)"
        )
    sampling = episode.sampling(1)
    check_temperature(sampling.temperature)
    options = {key: value for key, value in algorithm.trainer.items() if value is not None and key not in OURS_TO_DO}
    if options.get("fp16") and not torch.cuda.is_available():
        raise UserError("algo.trainer.fp16 needs a GPU, and none is there; leave it out")
    passes = whole("algo.trainer.num_iterations", options.get("num_iterations", 1))
    if checkpoints.every % passes:
        raise UserError(
            f"checkpoint.every={checkpoints.every} must be a multiple of algo.trainer.num_iterations={passes}: between "
            "the updates on the same replies no checkpoint could be gone on from exactly"
        )
    try:
        made = GRPOConfig(
            num_generations=replies,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=rows // (micro * shares),
            max_completion_length=sampling.tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            reward_weights=list(reward.weights.values()),
            shuffle_dataset=False,  # `trainer.asked` has the order
            **of_any_trainer(folder, algorithm.steps, seed, checkpoints),
            **options,
        )
        try_optimiser(made)
        return made
    except Exception as error:  # of any kind: keywords are a person's, and what a setting would need may be absent
        raise UserError(f"algo.trainer: {first_line(error)}") from error


def of_any_trainer(folder: Path, steps: int, seed: int, checkpoints: Checkpoints) -> dict[str, Any]:
    """What any trainer is told whose steps are logged, and whose checkpoints lie in `folder`."""
    return {
        **{"output_dir": str(drafts(folder)), "max_steps": steps, "seed": seed, "save_steps": checkpoints.every},
        **{"save_strategy": "steps", "logging_steps": 1, "logging_nan_inf_filter": False, "report_to": "none"},
        **{"disable_tqdm": True, "remove_unused_columns": False, "use_cpu": not torch.cuda.is_available()},
    }


def try_optimiser(arguments: GRPOConfig) -> None:
    """Make the optimiser and the schedule that `arguments` ask for, of one weight. An error comes now, not after the
    untrained policy was measured."""
    kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments)
    optimiser = kind([torch.nn.Parameter(torch.zeros(1))], **options)
    get_scheduler(
        arguments.lr_scheduler_type,
        optimiser,
        num_warmup_steps=arguments.get_warmup_steps(arguments.max_steps),
        num_training_steps=arguments.max_steps,
        scheduler_specific_kwargs=arguments.lr_scheduler_kwargs,  # type: ignore[arg-type]
    )
