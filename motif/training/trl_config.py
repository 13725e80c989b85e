"""What TRL is told: the configuration of its GRPOTrainer, made of an experiment's choices."""

import math
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

VLLM_KEYS = {
    **{"mode": "mode", "server_base_url": "base_url", "server_timeout": "wait", "group_port": "group_port"},
    **{"server_host": "base_url", "server_port": "base_url", "enable_sleep_mode": "sleep"},
    **{"gpu_memory_utilization": "memory", "max_model_length": "max_length", "tensor_parallel_size": "tensor_parallel"},
}
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
    "resume_from_checkpoint": "name",
    "save_steps": "checkpoint.every",
    "save_total_limit": "checkpoint.keep",
    "use_vllm": "generation",
    "push_to_hub": "tracking.artifact",
    "eval_strategy": "watch.every",
    **{f"vllm_{key}": f"generation.{ours}" for key, ours in VLLM_KEYS.items()},
}
IDLE = {  # what TRL takes and a rollout of ours leaves without effect, and what to use instead
    **{"min_p": "episode.top_p", "repetition_penalty": "episode.temperature", "generation_kwargs": "episode"},
    **{"chat_template_kwargs": "model.template_options", "cache_implementation": "generation.cache_gib"},
    **{"use_transformers_continuous_batching": "generation", "use_transformers_paged": "generation"},
    **{"transformers_continuous_batching_config": "generation", "multi_objective_aggregation": "reward.weights"},
    **{"max_tool_calling_iterations": "rounds", "log_completions": "record.questions"},
    **{"num_completions_to_print": "record.questions", "log_unique_prompts": "record.questions"},
    **{"log_completions_hub_repo": "tracking", "log_multimodal": "record.questions", "shuffle_dataset": "seed"},
    **{"num_generations_eval": "evaluation.samples", "model_init_kwargs": "model", "trust_remote_code": "model"},
    "use_liger_kernel": "algo.weighting",
}
OURS_TO_DO = (  # what TRL would do otherwise
    "disable_dropout",  # done when the model is loaded; TRL would turn off that of adapters, too
    "mask_truncated_completions",  # by the ends of decoding (`rows.weighted`)
)
LEAST = {  # of numbers that TRL takes as they come
    **dict.fromkeys(("beta", "epsilon", "epsilon_high", "max_grad_norm", "weight_decay", "warmup_steps"), 0.0),
    **{"adam_beta1": 0.0, "adam_beta2": 0.0, "adam_epsilon": 0.0, "learning_rate": 0.0},
}
CHOICES = {  # that TRL checks only when it takes a step
    "loss_type": ("grpo", "bnpo", "dr_grpo", "dapo", "luspo", "cispo", "sapo", "vespo"),
    "scale_rewards": ("group", "batch", "none"),
    "importance_sampling_level": ("token", "sequence"),
}


def trainer_arguments(
    algorithm: Algorithm, episode: Episode, reward: Reward, seed: int, folder: Path, checkpoints: Checkpoints
) -> GRPOConfig:
    """TRL's configuration for these choices. Unknown or contradictory `algo.trainer` keys are `UserError`s."""
    known = {field.name: field.default for field in fields(GRPOConfig)}
    for key, value in algorithm.trainer.items():
        if key in OURS:
            raise UserError(f"algo.trainer.{key} is set by {OURS[key]}=")
        if key in IDLE:
            raise UserError(
                f"algo.trainer.{key} has no effect here: replies and advantages are the suite's own; see {IDLE[key]}"
            )
        if key not in known:
            raise UserError(f"algo.trainer.{key} is not an argument of TRL's GRPOConfig{hint(key, known)}")
        if (isinstance(known[key], bool) or key == "bf16") and value is not None:
            one_of(f"algo.trainer.{key}", value, (True, False))
        numeric = key in LEAST or (isinstance(known[key], int | float) and not isinstance(known[key], bool))
        if numeric and value is not None:
            number(f"algo.trainer.{key}", value, LEAST.get(key, -math.inf))
        if key in CHOICES:
            one_of(f"algo.trainer.{key}", value, CHOICES[key])
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
    if sampling.temperature == 0:
        raise UserError(
            "episode.temperature must be above 0 for training: greedy replies to a question are all the same"
        )
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
