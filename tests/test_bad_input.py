"""A table of wrong inputs over every program: what a person may mistype, mislay or misunderstand.

Each ends with a status of its own (no signal), says in a line or two on stderr what is wrong, what is valid and what it
got, shows no traceback, and leaves every file as it was. Only the record of how an attempt ended (`.locks`) is new.
"""

import gzip
import json
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from motif.policies.tiny import Tiny
from motif.system.errors import UserError
from tests.support.experiments import made

TRAIN, EVALUATE, SOLVE = "train.py", "evaluate.py", "solve.py"
REPORT, STUDY, DASHBOARD = "motif.report", "motif.study", "motif.dashboard"
VERDICTS, UPLOADS, PROBE, CREDIT = ("motif.verdicts", "motif.uploads", "motif.probe", "motif.credit")
WARM_START = "motif.warm_start"
LOCAL = ("dataset=local", "experiment=smoke")
SHORT = ("experiment=smoke", "tracking=none", "preflight=false")


@dataclass(frozen=True)
class Case:
    """`python PROGRAM WORDS` in a folder of its own; its message has to hold each of `says`. `{world}` stands for a
    folder of bad files."""

    program: str
    words: tuple[str, ...]
    says: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()

    def __str__(self):
        return f"{self.program} {' '.join(self.words)}".encode("ascii", "replace").decode()[:90].replace("/", ":")


def train(*words, says=(), **environment):
    """Of a run that has a name, for to derive one takes as long as all the rest."""
    if "name=" not in " ".join(words) and "-m" not in words:
        words += ("name=x",)
    return Case(TRAIN, words, tuple(says), tuple(environment.items()))


def case(program, *words, says):
    return Case(program, words, tuple(says))


def warm(*words, says):
    chain = () if "dataset=" in " ".join(words) else ("dataset=chain", "dataset.train_size=40")
    return Case(WARM_START, (*chain, *words, "name=x", "outputs=outputs"), tuple(says))


REFUSED = [  # values that the class of a key refuses, before anything is loaded
    train("rounds=0", says=["rounds", "from 1 to", "got 0"]),
    train("rounds=-1", says=["rounds", "from 1 to", "got -1"]),
    train("rounds=1.5", says=["rounds", "whole number", "got 1.5"]),
    train("rounds=1000000000", says=["rounds", "from 1 to", "got 1000000000"]),
    train("rounds=abc", says=["rounds", "whole number", "got 'abc'"]),
    train("rounds=", says=["rounds", "whole number", "got ''"]),
    train("rounds=[1,2]", says=["rounds", "whole number", "got [1, 2]"]),
    train("seed=-1", says=["seed", "from 0 to", "got -1"]),
    train("seed=4294967296", says=["seed", "from 0 to", "got 4294967296"]),
    train("algo.m=1", says=["algo.m", "at least 2", "got 1"]),
    train("algo.k=0", says=["algo.k", "at least 1", "got 0"]),
    train("algo.steps=-5", says=["algo.steps", "at least 1", "got -5"]),
    train("algo.questions=many", says=["algo.questions", "whole number", "got 'many'"]),
    train("episode.temperature=-0.5", says=["temperature", "at least 0", "got -0.5"]),
    train("episode.top_p=1.5", says=["top_p", "at most 1", "got 1.5"]),
    train("episode.tokens=0", says=["tokens", "at least 1", "got 0"]),
    train("model.learning_rate=nan", says=["model.learning_rate", "above 0", "got nan"]),
    train("model.learning_rate=inf", says=["model.learning_rate", "above 0", "got inf"]),
    train("model.learning_rate=-1e-6", says=["model.learning_rate", "above 0", "got -1e-06"]),
    train("evaluation.samples=0", says=["evaluation.samples", "at least 1", "got 0"]),
    train("evaluation.rounds=3", says=["evaluation.rounds", "in brackets: evaluation.rounds=[3]", "got 3"]),
    train("evaluation.datasets=math500", says=["in brackets: evaluation.datasets=[math500]", "got 'math500'"]),
    train("evaluation.datasets=[math50]", says=["evaluation.datasets", "'math50'", "did you mean math500?"]),
    train("checkpoint.keep=0", says=["checkpoint.keep", "at least 1", "got 0"]),
    train("checkpoint.accept=[tensorflow]", says=["checkpoint.accept", "torch", "got 'tensorflow'"]),
    train("overwrite=maybe", says=["overwrite", "true or false", "got 'maybe'"]),
    train("flaws.futures=old", says=["flaws.futures", "current, base", "got 'old'"]),
    train("reward.weights=3", says=["reward.weights", "got 3"]),
    train("budget=5", says=["budget", "group of settings", "got 5"]),
    train("budget.tokens=1.5e3", says=["budget.tokens", "whole number", "got 1500.0"]),
    train("episode.carry=null", says=["episode.carry", "episode=summary", "got None"]),
    train("episode.carry=3", says=["episode.carry", "episode=summary", "got 3"]),
    train("evaluation.before=perhaps", says=["evaluation.before", "True, False", "got 'perhaps'"]),
    train("dataset.train_size=1000000000", says=["dataset.train_size", "from 1 to 1000000", "got 1000000000"]),
    train("tracking.project=", says=["tracking.project", "must be text", "got ''"]),
    train("tracking.tags=abc", says=["tracking.tags", "list of words", "got 'abc'"]),
    train("tracking.mode=never", says=["tracking.mode", "offline", "got 'never'"]),
]
CASES = [
    # group options
    train("algo=grop", says=["algo must be one of", "grpo", "'grop'", "did you mean grpo?"]),
    train("algo=3", says=["algo must be one of", "grpo", "'3'"]),
    train("algo=null", says=["algo must be one of", "grpo", "'null'"]),
    train("algo=", says=["algo"]),
    train("model=tinny", says=["model", "qwen2.5-3b", "'tinny'", "did you mean tiny?"]),
    train("dataset=gsm9k", says=["dataset", "math500", "'gsm9k'", "did you mean gsm8k?"]),
    train("experiment=smoek", says=["experiment", "laptop", "'smoek'", "did you mean smoke?"]),
    train("sweeps=rouns", says=["sweeps", "baseline", "'rouns'", "did you mean rounds?"]),
    train("tracking=wand", says=["tracking", "none, tensorboard, trackio, wandb", "'wand'"]),
    train("tracking=[wandb,tensorbord]", says=["tracking must be one of none", "'tensorbord'", "mean tensorboard?"]),
    train("tracking=[wandb,tensorboard]", "tracking.projct=x", says=["unknown key tracking.projct", "mean project?"]),
    *([] if find_spec("trackio") else [train("tracking=trackio", says=["needs: pip install 'motif-rounds[trackio]'"])]),
    train("generation=vlm", says=["generation", "transformers, vllm", "'vlm'"]),
    train("hydra/launcher=slurm", says=["hydra/launcher", "submitit_slurm", "'slurm'"]),
    case(EVALUATE, "policy=x", "dataset=math50", says=["dataset", "aime24", "'math50'", "did you mean math500?"]),
    case(PROBE, "policy=x", "dataset=chain", "rounds=1", says=["rounds must be a whole number from 2", "got 1"]),
    case(PROBE, "policy=x", "kk=3", says=["unknown key kk", "did you mean k?", "questions"]),
    case(PROBE, "policy=nowhere", says=["policy=nowhere is no run's folder", "dataset=math500"]),
    case(EVALUATE, "policy=outputs/nope", says=["policy=outputs/nope is not there"]),
    case(EVALUATE, says=["policy has no value", "policy=outputs/RUN"]),
    case(EVALUATE, "policy=/no/such folder", "dataset=chain", says=["policy=/no/such folder", "neither a folder"]),
    train("peft=lora", says=["unknown key peft (valid: "]),
    train("questions=4", says=["unknown key questions, did you mean ", "evaluation.questions", " or algo.questions?"]),
    train("tokens=5", says=["unknown key tokens, did you mean budget.tokens or episode.tokens?"]),
    train("hydra/launcher=joblib", *SHORT, says=["hydra/launcher=joblib", "type -m"]),
    train(
        "dataset=local", "dataset.path={world}/one.jsonl", "dataset.answer=question", says=["dataset.answer=question"]
    ),
    train(*LOCAL, "dataset.path={world}/english.jsonl", says=["model=tiny cannot read", "learn nothing"]),
    train(*LOCAL, "dataset.path={world}/six_megabytes.jsonl", says=["line 8", "of 6,000,", "shorten it"]),
    train(*SHORT[:1], says=["variable WANDB_MODE", "'ofline'", "did you mean offline?"], WANDB_MODE="ofline"),
    train(*SHORT, says=["variable OMP_NUM_THREADS", "'abc'"], OMP_NUM_THREADS="abc"),
    train("outputs=/proc", *SHORT, says=["/proc", "cannot be written", "another outputs="]),
    train("algo.trainer.loss_type=foo", says=["algo.trainer.loss_type", "dr_grpo", "'foo'"]),
    case(SOLVE, "policy=x", "episode=sumary", "What is it?", says=["episode", "summary", "'sumary'"]),
    # keys, at every level
    train("roundz=2", says=["unknown key roundz", "did you mean rounds?", "valid: rounds, seed"]),
    train("+roundz=2", says=["unknown key roundz", "did you mean rounds?", "valid: "]),
    train("algo.stpes=3", says=["unknown key algo.stpes", "did you mean steps?", "valid: "]),
    train("+algo.stpes=3", says=["unknown key algo.stpes", "did you mean steps?", "valid: "]),
    train("+episode.prompts.wordng=full", says=["unknown key episode.prompts.wordng", "did you mean wording?"]),
    train("algo.trainer.bta=0", says=["unknown key algo.trainer.bta", "did you mean beta?", "epsilon"]),
    train("+algo.trainer.bta=0", *SHORT, says=["algo.trainer.bta is not an argument", "did you mean beta?"]),
    train("training=async", says=["unknown key training"]),  # docs/vllm.md says why there is none
    train("+algo.trainer.max_staleness=2", *SHORT, says=["algo.trainer.max_staleness is not an argument"]),
    train("+flaws.futurs=base", says=["unknown key flaws.futurs", "did you mean futures?"]),
    train("hydra.sweeper.parms=1", says=["hydra.sweeper.parms"]),
    train("--config-dir", "{world}/presets", "experiment=root_typo", says=["unknown key seeed", "did you mean seed?"]),
    train(
        "--config-dir",
        "{world}/presets",
        "experiment=inner_typo",
        says=["unknown key algo.stepz", "did you mean steps?"],
    ),
    train("--config-dir", "{world}/presets", "experiment=torn", says=["torn.yaml", "line 3"]),
    train("--config-dir", "{world}/nowhere", says=["nowhere"]),
    case(EVALUATE, "polciy=x", says=["unknown key polciy", "did you mean policy?", "valid: "]),
    case(EVALUATE, "policy=x", "dataset=chain", "options.dtpe=auto", says=["options.dtpe", "did you mean dtype?"]),
    case(SOLVE, "polciy=x", "What is it?", says=["unknown key polciy", "did you mean policy?"]),
    train("algo._target_=motif.training.algorithms.Motiv", says=["algo._target_", "Motiv"]),
    train("algo._target_=os.getcwd", says=["unknown key algo.", "valid: "]),
    # what is no setting at all
    train("rounds", says=["'rounds'", "KEY=VALUE"]),
    train("rounds==3", says=["rounds", "whole number", "got '=3'"]),
    train("3", says=["'3'", "KEY=VALUE"]),
    train("evaluation.datasets=[math500", says=["evaluation.datasets=[math500", "KEY=VALUE"]),
    train("--fast", says=["unrecognized arguments: --fast", "KEY=VALUE"]),
    train("outputs=${nope}", says=["nope"]),
    train("--cfg", "jobs", says=["--cfg", "'jobs'", "'job'"]),
    # wrong types and numbers out of range
    *REFUSED,
    train("episode.temperature=0", *SHORT, says=["episode.temperature", "above 0"]),
    train("algo.trainer.learning_rate=fast", *SHORT, says=["algo.trainer.learning_rate", "got 'fast'"]),
    train("+algo.trainer.max_steps=3", *SHORT, says=["algo.trainer.max_steps", "algo.steps"]),
    train("algo.trainer.num_iterations=0", *SHORT, says=["algo.trainer.num_iterations", "at least 1", "got 0"]),
    train("algo.trainer.num_iterations=1.5", *SHORT, says=["algo.trainer.num_iterations", "whole number", "got 1.5"]),
    train("algo.trainer.beta=-1", *SHORT, says=["algo.trainer.beta", "at least 0", "got -1"]),
    train("algo.trainer.epsilon=-0.5", *SHORT, says=["algo.trainer.epsilon", "at least 0", "got -0.5"]),
    train("algo.trainer.max_grad_norm=-1", *SHORT, says=["algo.trainer.max_grad_norm", "at least 0", "got -1"]),
    train("+algo.trainer.deepspeed=none.json", *SHORT, says=["algo.trainer", "deepspeed"]),
    case(EVALUATE, "policy=x", "dataset=chain", "options=3", says=["options", "group of settings", "got 3"]),
    case(SOLVE, "policy=x", "options=3", "What is it?", says=["options", "group of settings", "got 3"]),
    case(DASHBOARD, "--print", "--rounds", "1000000000", says=["--rounds", "at most 100", "got 1000000000"]),
    case(EVALUATE, "policy=x", "dataset=chain", "samples=0", says=["samples", "at least 1", "got 0"]),
    case(EVALUATE, "policy=x", "dataset=chain", "temperature=-1", says=["temperature", "at least 0", "got -1"]),
    case(EVALUATE, "policy=x", "dataset=chain", "format=csv", says=["format", "jsonl, lm_eval", "got 'csv'"]),
    case(EVALUATE, "policy=[3]", "dataset=chain", says=["policy", "got ['3']"]),
    case(SOLVE, "policy=x", "rounds=0", "What is it?", says=["rounds", "from 1 to", "got 0"]),
    case(SOLVE, "policy=x", "temperature=warm", "What is it?", says=["temperature", "number", "got 'warm'"]),
    case(SOLVE, "policy=x", "question=", says=["question is empty", 'policy=... "What is 7 times 8?"']),
    # what is missing
    train("dataset=local", says=["dataset.path", "dataset.path=VALUE"]),
    train("model=local", says=["model.path", "model.path=VALUE"]),
    case(EVALUATE, "policy=x", says=["dataset", "dataset=math500"]),
    case(EVALUATE, "dataset=chain", says=["policy", "policy=VALUE"]),
    case(SOLVE, "What is it?", says=["policy", "policy=VALUE"]),
    case(SOLVE, "policy=x", says=["question", "question=VALUE"]),
    # contradictions
    train("algo.micro_batch=3", *SHORT, says=["algo.micro_batch=3", "must divide"]),
    train("budget.match=nowhere", says=["budget.match=nowhere", "is not a run", "name a finished run"]),
    train("budget.match={world}/unfinished", says=["unfinished", "is not finished"]),
    train("budget.match={world}/torn_summary", says=["torn_summary/summary.json", "torn"]),
    train("budget.on=seconds", says=["budget.on=seconds", "budget.match=outputs/RUN"]),
    train("evaluation.samples=4", says=["evaluation.samples=4", "evaluation.temperature above 0"]),
    train("episode.rounds=2", says=["rounds=3", "got 2"]),
    train("generation=vllm", "flaws.futures=base", says=["flaws.futures=base", "generation=transformers"]),
    train("dataset=math500", "dataset.path={world}", "name=x", says=["evaluation set", "gsm8k, chain or local"]),
    train(
        *("model=local", "model.path={world}/no_template", "model.quantization=4bit"),
        says=["model.quantization=4bit", "model.peft"],
    ),
    case(
        *(EVALUATE, "policy={world}/no_template", "dataset=chain", "options.quantization=4bit"),
        says=["options.quantization=4bit needs"],
    ),
    # a warm start
    case(WARM_START, "dataset=gsm9k", says=["dataset", "stories", "'gsm9k'", "did you mean gsm8k?"]),
    case(WARM_START, "stps=3", says=["unknown key stps", "did you mean steps?"]),
    warm("steps=0", says=["steps", "at least 1", "got 0"]),
    warm("micro_batch=3", says=["micro_batch=3", "must divide batch=8"]),
    warm("dataset=math500", "dataset.path={world}", says=["dataset=math500", "evaluation set"]),
    warm(
        *("dataset=local", "dataset.path={world}/huge.jsonl", "dataset.validation_share=0.3"),
        says=["dataset=local", "no worked solutions", "COLUMN"],
    ),
    warm("model=tiny", "episode.tokens=4", says=["none of the 40 worked solutions fits", "raise episode.tokens"]),
    warm("model=local", "model.path={world}/folder", says=["model.path=", "folder has no config.json"]),
    warm("model=local", "model.path={world}/torn_adapter", says=["model.path=", "torn_adapter", "adapter_config.json"]),
    # data files
    train(*LOCAL, "dataset.path={world}/nowhere.jsonl", says=["dataset.path=", "nowhere.jsonl", "no such file"]),
    train(*LOCAL, "dataset.path={world}/empty.jsonl", says=["empty.jsonl", "no rows"]),
    train(*LOCAL, "dataset.path={world}/binary.jsonl", says=["binary.jsonl", "cannot be read"]),
    train(*LOCAL, "dataset.path={world}/binary.parquet", says=["binary.parquet", "cannot be read"]),
    train(*LOCAL, "dataset.path={world}/torn.jsonl.gz", says=["torn.jsonl.gz", "cannot be read"]),
    train(*LOCAL, "dataset.path={world}/latin.csv", says=["latin.csv", "cannot be read", "utf-8"]),
    train(*LOCAL, "dataset.path={world}/columns.jsonl", says=["dataset.question=question", "columns: problem, gold"]),
    train(*LOCAL, "dataset.path={world}/nulls.jsonl", says=["2 of 2 rows", "dataset.gold=field"]),
    train(*LOCAL, "dataset.path={world}/one.jsonl", says=["dataset.validation_share", "1 questions"]),
    train(
        *LOCAL,
        "dataset.path={world}/huge.jsonl",
        "dataset.validation_share=0.3",
        says=["a prompt of 80", "do not fit 4096"],
    ),
    train(*LOCAL, "dataset.path={world}/notes.txt", says=["notes.txt", "no known kind", ".jsonl"]),
    train(*LOCAL, "dataset.path={world}/folder", says=["folder", "holds none of", "local_train"]),
    train(*LOCAL, "dataset.path=3", says=["3", "no such file"]),
    train(*LOCAL, "dataset.path={world}/one.jsonl", "dataset.gold=box", says=["dataset.gold", "boxed", "got 'box'"]),
    train("evaluation.datasets=[math500]", "evaluation.path={world}/nowhere", says=["nowhere", "no such file"]),
    # policies
    train("model=local", "model.path={world}/nowhere", *SHORT, says=["model.path=", "nowhere"]),
    train("model=local", "model.path={world}/folder", *SHORT, says=["model.path=", "folder has no config.json"]),
    train("model=local", "model.path={world}/no_template", *SHORT, says=["no_template", "no chat template"]),
    case(EVALUATE, "policy={world}/no_template", "dataset=chain", says=["policy=", "no chat template"]),
    case(EVALUATE, "policy={world}/no_tokenizer", "dataset=chain", says=["policy=", "has no tokenizer"]),
    case(
        EVALUATE,
        "policy={world}/torn_weights",
        "dataset=chain",
        says=["torn_weights/model.safetensors", "torn or no safetensors"],
    ),
    case(EVALUATE, "policy={world}/torn_config", "dataset=chain", says=["policy=", "torn_config"]),
    case(EVALUATE, "policy={world}/unfinished", "dataset=chain", says=["unfinished", "not finished"]),
    case(EVALUATE, "policy={world}/newer", "dataset=chain", says=["newer/run.json has format 99", "newer motif"]),
    case(EVALUATE, "policy={world}/torn_yaml", says=["torn_yaml/config.yaml", "torn or no YAML"]),
    case(SOLVE, "policy={world}/no_template", "What is it?", says=["policy=", "no chat template"]),
    case(SOLVE, "policy={world}/newer", "What is it?", says=["newer/run.json has format 99", "newer motif"]),
    case(SOLVE, "policy={world}/notes.txt", "What is it?", says=["policy=", "notes.txt"]),
    # folders that are no runs, or not runs of this suite's
    train("outputs={world}", "name=folder", says=["folder exists and is not a run", "name="]),
    train("outputs={world}", "name=notes.txt", says=["notes.txt", "choose another"]),
    train("outputs={world}", "name=newer", says=["newer/run.json has format 99", "newer motif"]),
    train("outputs={world}", "name=newer_summary", says=["newer_summary/summary.json has format 99", "newer motif"]),
    train("outputs={world}", "name=torn", says=["torn/run.json", "torn or no JSON"]),
    train("outputs={world}", "name=torn_yaml", says=["torn_yaml/config.yaml", "torn or no YAML"]),
    train("outputs={world}", "name=torn_summary", says=["torn_summary/summary.json", "torn or no JSON"]),
    train("outputs={world}", "name=old_summary", says=["old_summary/summary.json", "compute.training"]),
    train("outputs={world}", "name=listed", says=["listed/run.json", "mapping", "got []"]),
    train("outputs={world}", "name=other", says=["other", "another configuration", "name="]),
    # places and names
    train("outputs={world}/notes.txt", says=["notes.txt", "outputs="]),
    train("outputs=/proc/motif", *SHORT, says=["/proc/motif"]),
    train("hydra.run.dir=/proc/motif", *SHORT, says=["hydra.run.dir=/proc/motif", "outputs=FOLDER"]),
    train("hydra.run.dir=elsewhere", *SHORT, says=["hydra.run.dir=elsewhere", "name=NAME"]),
    train("hydra.job.chdir=true", *SHORT, says=["hydra.job.chdir=true", "leave it out"]),
    train("-m", "seed=0,1", "hydra.job.chdir=true", *SHORT, says=["hydra.job.chdir=true", "leave it out"]),
    train("-m", "seed=0,1", "hydra.sweep.dir=many", *SHORT, says=["hydra.sweep.dir=many", "in outputs/.sweeps"]),
    train("-m", "hydra.sweep.subdir=${hydra.job.num}", "seed=0,1", *SHORT, says=["subdir=${hydra.job.num}", ".sweeps"]),
    train("-m", "seed=0,1", "outputs=/proc/motif", *SHORT, says=["/proc/motif", "another outputs="]),
    case(EVALUATE, "policy=x", "dataset=chain", "hydra.job.chdir=true", says=["hydra.job.chdir=true", "leave it out"]),
    case(PROBE, "policy=x", "dataset=chain", "hydra.run.dir=x", says=["hydra.run.dir=x", "outputs=FOLDER"]),
    case(SOLVE, "policy=x", "What?", "hydra.job.chdir=true", says=["hydra.job.chdir=true", "leave it out"]),
    train(
        "algo.questions=5000", "algo.steps=4", *SHORT, says=["algo.questions=5000 are more than the", "dataset=chain"]
    ),
    train("algo.questions=9", "dataset.train_size=8", *SHORT, says=["algo.questions=9", "than the 8 questions"]),
    train("+algo.trainer.fp16=true", *SHORT, says=["algo.trainer.fp16 needs a GPU"]),
    train("outputs=" + "o" * 300, *SHORT, says=["ooo", "name too long", "shorter"]),
    train("outputs=null", says=["outputs must be text", "got None"]),
    train("name=..", says=["name", "letters, digits", "got '..'"]),
    train("name=a/b", says=["name", "letters, digits", "got 'a/b'"]),
    train("name=../x", says=["name", "letters, digits", "got '../x'"]),
    train("name='a b'", says=["name", "letters, digits", "got 'a b'"]),
    train("name='\U0001f600'", says=["name", "letters, digits", "got "]),
    train("name=" + "n" * 300, says=["name", "up to 200", "got 'nnn"]),
    train("name=[3]", says=["name must be text", "got ['3']"]),
    train("model.imitation_steps=1", *SHORT, says=["MOTIF_CACHE", "notes.txt"], MOTIF_CACHE="{world}/notes.txt"),
    # the lab, and probes of rounds
    case(CREDIT, says=["required", "runs"]),
    case(CREDIT, "{world}/nowhere", says=["nowhere", "is not there"]),
    case(CREDIT, "{world}/folder", says=["folder is no run", "outputs/RUN"]),
    case(CREDIT, "{world}/newer", says=["newer/run.json has format 99", "newer motif"]),
    case(CREDIT, "{world}/torn_yaml", says=["torn_yaml/config.yaml", "torn or no YAML"]),
    case(CREDIT, "{world}/unfinished", says=["unfinished/config.yaml", "holds no experiment"]),
    case(CREDIT, "{world}/stranger", says=["_target_ of it is 'joblib.load'", "is not built", "yourself"]),
    case(CREDIT, "{world}/unfinished", "--gradients", "1", says=["--gradients", "at least 2", "got 1"]),
    case(CREDIT, "{world}/unfinished", "--gradients", "many", says=["--gradients", "int", "'many'"]),
    case(CREDIT, "{world}/unfinished", "--k", "0", says=["--k", "at least 1", "got 0"]),
    case(CREDIT, "{world}/unfinished", "--seed", "-1", says=["--seed", "from 0 to", "got -1"]),
    case(CREDIT, "{world}/unfinished", "--policy", "best", says=["--policy", "'best'", "trained"]),
    case(CREDIT, "{world}/unfinished", "--gradiens", "4", says=["--gradiens", "did you mean --gradients?"]),
    case(PROBE, "dataset=chain", says=["policy", "policy=VALUE"]),
    case(PROBE, "policy=x", "dataset=chain", "k=-1", says=["k must be", "at least 0", "got -1"]),
    case(PROBE, "policy=x", "dataset=chain", "batch=1", says=["batch", "at least 2", "got 1"]),
    case(PROBE, "policy=x", "dataset=chain", "questions=1", says=["questions", "at least 2", "got 1"]),
    case(PROBE, "policy=x", "dataset=chain", "options=3", says=["options", "group of settings", "got 3"]),
    case(PROBE, "policy={world}/no_template", "dataset=chain", says=["policy=", "no chat template"]),
    case(PROBE, "policy={world}/unfinished", "dataset=chain", "rounds=2", says=["unfinished", "not finished"]),
    case(
        PROBE, "policy={world}/newer", "dataset=chain", "rounds=2", says=["newer/run.json has format 99", "newer motif"]
    ),
    # what a stranger's folder may hold
    case(EVALUATE, "policy={world}/unpickles", says=["episode._target_ of", "motif.yaml", "'joblib.load'", "yourself"]),
    case(SOLVE, "policy={world}/unpickles", "What?", says=["episode._target_ of", "motif.yaml", "'joblib.load'"]),
    case(EVALUATE, "policy={world}/no_index", "dataset=chain", says=["model.safetensors.index.json", "weight_map"]),
    case(EVALUATE, "policy={world}/other_shape", "dataset=chain", says=["policy=", "other shapes", "config.json"]),
    case(EVALUATE, "policy={world}/listed_config", "dataset=chain", says=["policy=", "listed_config"]),
    case(EVALUATE, "policy={world}/torn_adapter", "dataset=chain", says=["policy=", "adapter_config.json is torn"]),
    case(EVALUATE, "policy={world}/odd_adapter", "dataset=chain", says=["policy=", "no adapter that peft knows"]),
    case(STUDY, "status", "{world}/odd_study", says=["study.json says 4 for command", "whole copy"]),
    # sweeps
    train("-m", "seed=range(0,0)", says=["make no job", "seed=range(0,0)"]),
    train("-m", "roundz=1,2", says=["unknown key roundz", "did you mean rounds?"]),
    train("-m", "algo=grpo,motf", says=["algo must be one of", "grpo", "'motf'"]),
    # programs that read
    case(REPORT, says=["required", "runs"]),
    case(REPORT, "{world}/nowhere", says=["nowhere", "is not there", "outputs/*"]),
    case(REPORT, "{world}/notes.txt", says=["no run", "notes.txt", "outputs/*"]),
    case(REPORT, "{world}/folder", says=["no run", "folder", "outputs/*"]),
    case(REPORT, "{world}/newer", says=["newer/run.json has format 99", "newer motif"]),
    case(REPORT, "{world}/other", "--axis", "miles", says=["--axis", "'miles'", "flops"]),
    case(REPORT, "{world}/other", "--episodes", "0", says=["--episodes", "at least 1", "got 0"]),
    case(REPORT, "{world}/other", "--episodes", "all", says=["--episodes", "int", "'all'"]),
    case(REPORT, "{world}/other", "--to", "{world}/notes.txt", says=["--to=", "notes.txt is a file"]),
    case(REPORT, "{world}/other", "--to", "{world}/other/report", says=["--to=", "lies in the run"]),
    case(REPORT, "{world}/other", "--to", "", says=["--to", "must name a folder, got ''"]),
    case(REPORT, "{world}/other", "--to", "/proc/motif/x", says=["/proc/motif/x cannot be written", "another --to="]),
    case(REPORT, "{world}/other", "--against", "motiff", says=["no arm is called motiff"]),
    case(VERDICTS, "{world}/other", "--against", "motiff", says=["no arm is called motiff"]),
    case(REPORT, "{world}/other", "--agianst", "x", says=["--agianst", "did you mean --against?"]),
    case(STUDY, says=["required", "command"]),
    case(STUDY, "stauts", says=["'stauts'", "'status'"]),
    case(STUDY, "status", "{world}/nowhere", says=["nowhere", "is not there"]),
    case(STUDY, "status", "{world}/folder", says=["no run", "folder"]),
    case(STUDY, "status", "{world}/torn_study", says=["study.json", "torn or no JSON"]),
    case(STUDY, "status", "{world}/torn_job", says=["jobs/0.json", "torn or no JSON"]),
    case(VERDICTS, "{world}/nowhere", says=["nowhere", "is not there"]),
    case(VERDICTS, "{world}/folder", says=["no run", "folder"]),
    case(VERDICTS, "{world}/newer", says=["newer/run.json has format 99", "newer motif"]),
    case(UPLOADS, "{world}/nowhere", says=["nowhere", "is not there"]),
    case(DASHBOARD, says=["--entity is missing", "--print"]),
    case(DASHBOARD, "--entity", "us", "--rounds", "0", says=["--rounds", "at least 1", "got 0"]),
    case(DASHBOARD, "--entity", "us", "--rounds", "x", says=["--rounds", "int", "'x'"]),
    case(DASHBOARD, "--entitee", "us", says=["--entitee", "did you mean --entity?"]),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder of bad files."""
    root = tmp_path_factory.mktemp("world")
    bad_data(root)
    bad_policies(root)
    bad_runs(root)
    return root


def bad_data(root):
    row = json.dumps({"question": "What is 1 + 1?", "answer": "2"}) + "\n"
    (root / "empty.jsonl").touch()
    (root / "binary.jsonl").write_bytes(bytes(range(256)) * 40)
    (root / "binary.parquet").write_bytes(bytes(range(256)) * 40)
    (root / "torn.jsonl.gz").write_bytes(gzip.compress(row.encode() * 1000, mtime=0)[:-20])
    (root / "latin.csv").write_bytes("question,answer\nWie groß?,2\n".encode("latin-1"))
    (root / "columns.jsonl").write_text('{"problem": "What is 1 + 1?", "gold": "2"}\n')
    (root / "nulls.jsonl").write_text('{"question": "a?", "answer": null}\n{"question": "b?", "answer": " "}\n')
    (root / "one.jsonl").write_text(row)
    rows = [{"question": f"{number}a+1", "answer": str(number + 1)} for number in range(40)]
    rows[7] = {"question": f"{'1a+1' * 20_000}1", "answer": "20001"}
    (root / "huge.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    english = [{**each, "question": f"What is {each['question']}?"} for each in rows]
    (root / "english.jsonl").write_text("".join(json.dumps(each) + "\n" for each in [*english[:7], *english[8:]]))
    rows[7] = {"question": "1a+" * 2_000_000, "answer": "20001"}
    (root / "six_megabytes.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    (root / "notes.txt").write_text("nothing")
    (root / "folder").mkdir()
    (root / "folder/notes.txt").write_text("nothing")
    presets = root / "presets/experiment"
    presets.mkdir(parents=True)
    (presets / "root_typo.yaml").write_text("# @package _global_\nseeed: 7\n")
    (presets / "inner_typo.yaml").write_text("# @package _global_\nalgo:\n  stepz: 7\n")
    (presets / "torn.yaml").write_text("# @package _global_\nalgo: {steps: 7\n")


def bad_policies(root):
    shipped = Tiny().folder()
    for name, without in (
        ("no_template", ["chat_template.jinja"]),
        ("no_tokenizer", ["tokenizer.json", "tokenizer_config.json"]),
        ("torn_weights", ["model.safetensors"]),
        ("torn_config", ["config.json"]),
        ("unpickles", ()),
        ("no_index", ()),
        ("other_shape", ["config.json"]),
        ("listed_config", ["config.json"]),
    ):
        shutil.copytree(shipped, root / name, ignore=shutil.ignore_patterns(*without), copy_function=link)
    (root / "torn_weights/model.safetensors").write_bytes((shipped / "model.safetensors").read_bytes()[:1000])
    (root / "torn_config/config.json").write_text('{"model_type": "qwen2", ')
    pickled = "{_target_: joblib.load, filename: x.pkl}"
    (root / "unpickles/motif.yaml").write_text(f"model: {{}}\nepisode: {pickled}\ndataset: {pickled}\nrounds: 2\n")
    (root / "no_index/model.safetensors.index.json").write_text('{"weight_map": [1]}')
    config = json.loads((shipped / "config.json").read_text())
    (root / "other_shape/config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    (root / "listed_config/config.json").write_text("[]")
    for name, text in (
        ("torn", '{"peft_type": '),
        ("odd", f'{{"peft_type": "?", "base_model_name_or_path": "{shipped}"}}'),
    ):
        (root / f"{name}_adapter").mkdir()
        (root / f"{name}_adapter/adapter_config.json").write_text(text)
        shutil.copy(shipped / "model.safetensors", root / f"{name}_adapter/adapter_model.safetensors")


def link(source, target):
    Path(target).symlink_to(Path(source).resolve())


def bad_runs(root):
    def run(name, **files):
        folder = root / name
        folder.mkdir()
        files = {"run": '{"format": 1, "id": "x", "rows": null}', "config": "rounds: 1\n", **files}
        for stem, text in files.items():
            (folder / f"{stem}.{'yaml' if stem == 'config' else 'json'}").write_text(text)
        return folder

    run("unfinished")
    run("newer", run='{"format": 99, "id": "x"}', summary="{}")
    run("newer_summary", summary='{"format": 99}')
    run("torn", run='{"format": 1, "id": ')
    run("listed", run="[]")
    run("torn_yaml", config="rounds: [1, ", summary="{}").joinpath("evaluation").mkdir()
    run("torn_summary", summary='{"name": "x", ')
    run("old_summary", summary='{"name": "x", "algo": "grpo", "rounds": 1, "evaluation": [], "seconds": {}}')
    run("other").joinpath("evaluation").mkdir()
    run("stranger", config="_target_: joblib.load\nfilename: x.pkl\n")
    for name, study, job in (
        ("torn_study", '{"study": ', "{}"),
        ("torn_job", '{"study": "s", "command": ["train.py"], "grid": true}', '{"number": 0, "ove'),
        (
            "odd_study",
            '{"study": "s", "command": 4, "grid": true}',
            '{"number": 0, "overrides": [], "state": "planned"}',
        ),
    ):
        jobs = root / name / ".sweeps/1/jobs"
        jobs.mkdir(parents=True)
        (jobs.parent / "study.json").write_text(study)
        (jobs / "0.json").write_text(job)


def there(*roots):
    """Every file and folder, with size and time; without the records of how attempts ended."""
    return {
        path: (path.lstat().st_size, path.lstat().st_mtime_ns) if path.is_file() else None
        for root in roots
        for path in root.rglob("*")
        if not (".locks" in path.parts or path.name.startswith("said-") or [*path.glob("*")] == [path / ".locks"])
    }


def in_make_test(wrong):
    """Of what is refused in one and the same place some rows are enough, and of all others every second."""
    enough = wrong in REFUSED[:5] or (wrong not in REFUSED and CASES.index(wrong) % 2 == 0)
    return wrong if enough else pytest.param(wrong, marks=pytest.mark.slow)


@pytest.mark.parametrize("wrong", map(in_make_test, CASES), ids=str)
def test_a_wrong_input_is_a_line_that_says_what_is_wrong_and_what_is_right(wrong, world, forks, tmp_path):
    def put(text):
        return text.replace("{world}", str(world))

    before = there(world, tmp_path)
    environment = {key: put(value) for key, value in wrong.environment}
    run = forks.begin(wrong.program, tmp_path, *map(put, wrong.words), environment=environment, apart=True)
    status, said = run.wait(60)
    lines = run.errors.splitlines()
    assert status in (1, 2), (status, said, lines)
    assert 1 <= len(lines) <= 2 and lines[-1].startswith("error: "), lines
    for words in wrong.says:
        assert words in lines[-1], lines
    assert "Traceback" not in said and "a fault of motif's own" not in lines[-1], (said, lines)
    assert there(world, tmp_path) == before


@pytest.mark.parametrize("wrong", REFUSED, ids=str)
def test_a_value_that_is_refused_is_named_with_what_is_valid(wrong):
    """The same rows, without a process each."""
    with pytest.raises(UserError) as error:
        made(*wrong.words)
    line = str(error.value)
    assert "\n" not in line and all(words in line for words in wrong.says), line


def test_the_table_is_as_long_as_is_said():
    assert len(CASES) >= 215 and len({str(each) for each in CASES}) == len(CASES)
