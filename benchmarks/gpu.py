"""A GPU: `python -m benchmarks.gpu` measures decoding and a MOTIF step at the exact shape of Qwen2.5-3B.

Weights are random, in bfloat16, with LoRA r = 64 on all linear layers; replies never end, so every row runs to its
limit.

1. decoding: tokens per second of our decoder (captured steps), of ours in plain steps and of `model.generate`, in the
   same process, against the roofline: bytes of weights and cache that a step has to read, over the memory bandwidth
   measured here;
2. rollouts of a MOTIF step (m 8, k 4, n 3): ours, a call a round, against the published schedule, a prompt a call,
   both in windows of a sixteenth;
3. steps of training through TRL in the published windows of 1024 and 2048 tokens: seconds by phase, peak memory, and
   the micro-batch found from free memory;
4. vLLM, where it is installed, with the same weights in this process: tokens per second at the rows of the first part.

Without a GPU the same program runs at a small shape; its figures say nothing about a GPU.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.rollout import published
from motif.generation.decoding import decode
from motif.generation.kv_cache import capturable
from motif.policies.pretrained import Policy
from motif.rounds.episode import Episode, grow
from motif.rounds.prompts import Conversation
from motif.rounds.replies import Generate, Reply, Sampling, draw_key
from motif.runs.ledger import Ledger
from motif.system import console
from motif.tasks.questions import Question

SHAPES = {
    "qwen2.5-3b": {
        **{"vocab_size": 151_936, "hidden_size": 2048, "intermediate_size": 11_008, "num_hidden_layers": 36},
        **{"num_attention_heads": 16, "num_key_value_heads": 2, "max_position_embeddings": 32_768},
    },
    "small": {
        **{"vocab_size": 2048, "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4},
        **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 8192},
    },
}


def policy_of(shape: str, device: str) -> Policy:
    """A policy with random weights and LoRA, and a tokenizer of as many words, `t17` for token 17."""
    from peft import LoraConfig, get_peft_model
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(**SHAPES[shape], tie_word_embeddings=True, eos_token_id=0, pad_token_id=1)
    with torch.device(device):
        torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
        model = Qwen2ForCausalLM(config)
        torch.set_default_dtype(torch.float32)
    targets = [f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")]
    adapted = get_peft_model(model, LoraConfig(r=64, lora_alpha=64, target_modules=targets, task_type="CAUSAL_LM"))
    backend = Tokenizer(models.WordLevel({f"t{id}": id for id in range(config.vocab_size)}, unk_token="t2"))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.WhitespaceSplit(), decoders.Fuse()
    template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="t0", pad_token="t1", padding_side="left", chat_template=template
    )
    return Policy(adapted.to(device), tokenizer)


def generator(policy: Policy, capture: bool = True) -> Generate:
    """Ours, with no token that ends a reply."""

    def generate(talks: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
        prompts = policy.render(talks)
        written = decode(policy.model, prompts, sampling, [], policy.pad_id, capture=capture)
        texts = [" ".join(f"t{id}" for id in ids) for ids, _, _ in written]
        return [
            Reply(text, ids, prompt, done, scores)
            for text, prompt, (ids, scores, done) in zip(texts, prompts, written, strict=True)
        ]

    return generate


def seconds(run: Callable[[], Any], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def bandwidth(device: str) -> float:
    """Bytes read and written a second by a copy within the device's memory."""
    source = torch.empty(2**30 if device == "cuda" else 2**26, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    best = min(seconds(lambda: target.copy_(source), device) for _ in range(10))
    return 2 * source.numel() / best


def decoding(policy: Policy, device: str, rows: Sequence[int], prompt: int, tokens: int) -> None:
    model, config = policy.model, policy.model.config
    weights = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    head = config.hidden_size // config.num_attention_heads
    a_token = 2 * config.num_hidden_layers * config.num_key_value_heads * head * model.dtype.itemsize
    speed = bandwidth(device)
    console.say(f"weights and adapters {weights / 2**30:.2f} GiB, memory bandwidth {speed / 1e12:.2f} TB/s (copy)")
    console.say(f"decoding, {prompt} + {tokens} tokens, no row ends; tokens per second; captured: {capturable(model)}")
    console.say("| rows | ours | plain steps | generate | ours / generate | ours / roofline |")
    console.say("|---|---|---|---|---|---|")
    source = torch.Generator().manual_seed(0)
    for count in rows:
        prompts = torch.randint(2, config.vocab_size, (count, prompt), generator=source).tolist()

        def ours(capture: bool, prompts: list[list[int]] = prompts) -> None:
            decode(model, prompts, Sampling(tokens), [], policy.pad_id, capture=capture)

        def theirs(prompts: list[list[int]] = prompts) -> None:
            ids = torch.tensor(prompts, device=device)
            options = {"do_sample": True, "top_k": 0, "min_new_tokens": tokens, "max_new_tokens": tokens}
            with torch.inference_mode():
                model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), pad_token_id=1, **options)

        model.eval()
        ours(True)  # warm
        times = [seconds(run, device) for run in (lambda: ours(True), lambda: ours(False), theirs)]
        mean_cache = count * (prompt + tokens / 2) * a_token
        roofline = count * speed / (weights + mean_cache)
        found = [count * tokens / taken for taken in times]
        console.say(
            f"| {count} | {found[0]:.0f} | {found[1]:.0f} | {found[2]:.0f} | {found[0] / found[2]:.1f}× | "
            f"{found[0] / roofline:.0%} |"
        )


def vllm(policy: Policy, rows: Sequence[int], prompt: int, tokens: int) -> None:
    """Tokens per second of vLLM beside the model in one GPU's memory, weights as they are without adapters."""
    try:
        from vllm import LLM
        from vllm import SamplingParams as Drawn
    except ImportError:
        console.say("vLLM is not installed: not measured")
        return
    with tempfile.TemporaryDirectory() as folder:
        policy.model.unload().save_pretrained(folder)  # the last part that needs adapters has run
        engine = LLM(model=folder, skip_tokenizer_init=True, dtype="bfloat16", gpu_memory_utilization=0.5)
        drawn = Drawn(temperature=1.0, max_tokens=tokens, min_tokens=tokens, ignore_eos=True, detokenize=False)
        source = torch.Generator().manual_seed(0)
        console.say("| rows | vLLM |")
        console.say("|---|---|")
        for count in rows:
            ids = torch.randint(2, policy.model.config.vocab_size, (count, prompt), generator=source).tolist()
            prompts = [{"prompt_token_ids": row} for row in ids]
            write = partial(engine.generate, prompts, drawn, use_tqdm=False)
            write()  # warm
            taken = seconds(write, "cuda")
            console.say(f"| {count} | {count * tokens / taken:.0f} |")


def tree_of(policy: Policy, generate: Generate, windows: tuple[int, int], seed: int) -> None:
    episode = episode_of(windows)
    grow([QUESTION], episode, [8, 4, 1], generate, policy.tokenizer, episode.sampling, draw=partial(draw_key, seed))


def episode_of(windows: tuple[int, int]) -> Episode:
    from motif.rounds.carry import Summary

    return Episode(rounds=3, tokens=windows[0], later={"tokens": windows[1]}, carry=Summary(tokens=512, missing="tail"))


QUESTION = Question("q", " ".join(f"t{id}" for id in range(100, 200)), "1")


def rollouts(policy: Policy, device: str, windows: tuple[int, int]) -> None:
    small = (max(4, windows[0] // 16), max(4, windows[1] // 16))
    generate = generator(policy)
    tree_of(policy, generate, small, 0)  # warm
    ours = seconds(lambda: tree_of(policy, generate, small, 1), device)
    plain = seconds(lambda: tree_of(policy, generator(policy, capture=False), small, 1), device)
    episode = episode_of(small)
    by_prompt = lambda: published(generate, policy.tokenizer, episode.sampling, [QUESTION], episode, 8, 4)  # noqa: E731
    theirs = seconds(by_prompt, device)
    console.say(f"rollouts of a MOTIF step, m 8, k 4, n 3, windows {small[0]} and {small[1]}:")
    console.say(
        f"  ours {ours:.1f} s (in plain steps {plain:.1f} s), published schedule {theirs:.1f} s: {theirs / ours:.1f}×"
    )


def training(policy: Policy, device: str, windows: tuple[int, int], steps: int) -> None:
    from motif.runs.checkpoints import Checkpoints
    from motif.runs.folder import Run
    from motif.runs.tracking.base import Silent
    from motif.training.algorithms import MOTIF
    from motif.training.guard import Guard
    from motif.training.micro_batch import micro_batch
    from motif.training.rewards import Reward
    from motif.training.rollout import Rollout
    from motif.training.trainer import make_trainer, train
    from motif.training.trl_config import trainer_arguments

    def by_chance(path: Any) -> float:
        return float(path[-1].reply.token_ids[0] % 2)  # random weights are never right; a spread is needed to train

    found = micro_batch(policy.model, 8, 768, windows[0], bf16=device == "cuda", checkpointing=True)
    settings = {"bf16": device == "cuda", "gradient_checkpointing": True, "loss_type": "grpo", "optim": "adamw_torch"}
    algorithm = MOTIF(steps=steps, questions=1, m=8, k=4, micro_batch=found, trainer=settings)
    reward, episode, ledger = Reward({"chance": by_chance}, {}, {"chance": 1.0}), episode_of(windows), Ledger()
    with tempfile.TemporaryDirectory() as place:
        run = Run(Path(place) / "run")
        run.begin({})
        arguments = trainer_arguments(algorithm, episode, reward, 0, run.checkpoints, Checkpoints(every=10**6))
        questions = [Question(f"q{n}", f"{QUESTION.text} t{n}", "1") for n in range(8)]
        generate, check = generator(policy), Guard().watch(episode.sampling, cut=False)
        settings = {"seed": 0, "check": check}
        made = lambda trainer: generate  # noqa: E731
        rollout = Rollout(algorithm, episode, reward, questions, made, policy.tokenizer, ledger, **settings)
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        trainer, tracker = make_trainer(policy, arguments, rollout), Silent().start(run.folder, "x", "x", {})
        taken = seconds(lambda: train(trainer, rollout, run, tracker, lambda *_: None), device)
        peak = f", peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if device == "cuda" else ""
        by_phase = ", ".join(f"{name} {s / steps:.1f}" for name, s in ledger.seconds.items())
        console.say(f"{steps} steps of training, micro-batch {found}: {taken / steps:.1f} s a step ({by_phase}){peak}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="*", default=["decoding", "rollouts", "training", "vllm"])
    parser.add_argument("--tokens", type=int, help="new tokens of the decoding part")
    parser.add_argument("--steps", type=int, default=2)
    arguments = parser.parse_args()
    console.quiet()
    console.quiet_bars()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape = "qwen2.5-3b" if device == "cuda" else "small"
    name = (
        torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()}, {torch.get_num_threads()} threads"
    )
    console.say(
        f"{name}, torch {torch.__version__}, shape {shape}, {'bfloat16' if device == 'cuda' else 'float32'}, LoRA r 64"
    )
    torch.manual_seed(0)
    policy = policy_of(shape, device)
    windows = (1024, 2048) if device == "cuda" else (64, 128)
    if "decoding" in arguments.parts:
        sizes, tokens = ((8, 32, 128), 128) if device == "cuda" else ((8,), 64)
        decoding(policy, device, sizes, 256 if device == "cuda" else 32, arguments.tokens or tokens)
    if "rollouts" in arguments.parts:
        rollouts(policy, device, windows)
    if "training" in arguments.parts:
        training(policy, device, windows, arguments.steps)
    if "vllm" in arguments.parts and device == "cuda":
        vllm(policy, (8, 32, 128), 256, arguments.tokens or 128)


if __name__ == "__main__":
    main()
