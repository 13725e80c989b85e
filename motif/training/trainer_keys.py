"""Which keys of TRL's configuration may be set in algo.trainer, and to what, as far as it can be told without TRL."""

from collections.abc import Mapping
from typing import Any

from motif.system import UserError, number, one_of

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


def check_keys(trainer: Mapping[str, Any]) -> None:
    """A `UserError` for a key that the suite sets itself or that has no effect, and for a value that cannot be."""
    for key, value in trainer.items():
        if key in OURS:
            raise UserError(f"algo.trainer.{key} is set by {OURS[key]}=")
        if key in IDLE:
            raise UserError(
                f"algo.trainer.{key} has no effect here: replies and advantages are the suite's own; see {IDLE[key]}"
            )
        if key in LEAST and value is not None:
            number(f"algo.trainer.{key}", value, LEAST[key])
        if key in CHOICES:
            one_of(f"algo.trainer.{key}", value, CHOICES[key])


def check_temperature(temperature: float) -> None:
    """A `UserError` for the temperature of trained replies at which no reply is worth more than another."""
    if temperature == 0:
        raise UserError(
            "episode.temperature must be above 0 for training: greedy replies to a question are all the same"
        )
