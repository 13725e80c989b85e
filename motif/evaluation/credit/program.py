"""`python -m motif.credit outputs/RUN [--gradients N]`: every credit scheme on the same rollouts.

Without more it reads the trees that the run recorded: do schemes agree, and which of them have nothing to say? With
--gradients N it grows new trees of N training questions and asks how good an estimate of the policy gradient each is.
What it finds is written to credit/ in the run's folder; `python -m motif.report` draws it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from motif.evaluation.credit import shown
from motif.evaluation.credit.agreement import agree
from motif.evaluation.credit.schemes import name as scheme_name
from motif.runs.folder import Run
from motif.system import console, failures
from motif.system.errors import UserError, whole
from motif.system.files import explained, read_json, read_yaml, there, write_json, write_text

FOLDER = "credit"


def agreement(run: Run, experiment: Any) -> None:
    """The recorded trees: written, and shown."""
    if not run.episodes_file.is_file():
        raise UserError(
            f"{run.folder} has no {run.episodes_file.name}: it has not taken a step yet, or record.questions was 0"
        )
    name = run.folder.name
    with console.progress(f"trees of {name}") as report:
        found, torn = agree(run.episodes_file, experiment.algo, episode_of(experiment), experiment.reward, report)
    to = run.folder / FOLDER
    write_json(to / "agreement.json", found)
    write_text(to / "agreement.csv", shown.as_csv(found["agreement"]))
    write_text(to / "signal.csv", shown.as_csv(found["signal"]))
    for line in torn:
        console.say(line, style="yellow")
    if found["agreement"]:
        console.show(shown.agreement_table(name, found))
    console.show(shown.signal_table(name, found))
    first, last = found["steps"]
    console.say(
        f"{found['groups']} groups of {found['questions']} questions, steps {first} to {last}; advantages of "
        f"{found['own']} as made here differ from those recorded in training by {found['recorded']:.1g} at most"
    )
    for scheme, why in found["undefined"].items():
        console.say(f"not defined on these trees: {scheme}: {why}")
    console.say(f"folder  {to}")


def gradients(run: Run, experiment: Any, given: argparse.Namespace) -> None:
    """New trees of the policy: measured, written, and shown."""
    from motif.evaluation.credit.gradients import Lab, Setting, measure

    console.quiet_bars()
    name, own = run.folder.name, experiment.algo
    questions = experiment.dataset.train()
    if len(questions) < given.gradients:
        raise UserError(f"--gradients={given.gradients}: {experiment.dataset.name} has {len(questions)} for training")
    questions = Random(given.seed).sample(questions, given.gradients)
    ks = tuple(given.k or [getattr(own, "k", 2)])
    asked = Setting(given.gradients, given.draws, ks, given.reference_k, given.reference_draws)
    with console.progress(f"loading {given.policy} of {name}") as report:
        policy, which = loaded(run, experiment, given.policy, report)
    marks = experiment.flaws.marks()
    lab = Lab(policy, episode_of(experiment), experiment.reward, own, marks, given.seed)
    with console.progress(f"gradients of {name}", asked.draws + asked.reference_draws) as report:
        schemes = measure(lab, questions, asked, report)
    found = {
        **{"policy": which, "own": scheme_name(own), "questions": len(questions), "draws": asked.draws, "m": own.m},
        **{"reference_k": asked.reference_k, "reference_draws": asked.reference_draws, "seed": given.seed},
        **{"loss": "mean token" if lab.mean_token else "sum of tokens", "scale": lab.scale, "schemes": schemes},
    }
    to = run.folder / FOLDER
    write_json(to / f"gradients-{which}.json", found)
    write_text(to / f"gradients-{which}.csv", shown.as_csv(schemes))
    console.show(shown.gradients_table(name, found))
    console.say(f"folder  {to}")


def episode_of(experiment: Any) -> Any:
    """The episode as it was in training."""
    rounds = experiment.algo.rounds(experiment.rounds)
    return experiment.flaws.training_episode(experiment.episode).with_rounds(rounds)


def loaded(run: Run, experiment: Any, which: str, report: Any) -> tuple[Any, str]:
    """The policy before training (`base`), or as trained: the run's own, or its newest checkpoint's while it is
    unfinished; and what it is called."""
    from transformers import set_seed

    from motif.policies.pretrained import open_policy

    if which == "base":
        set_seed(experiment.seed)  # of fresh adapters, as the run does it
        return experiment.model.load(report), "base"
    if run.summary():
        return open_policy(run.folder), "trained"
    if found := run.checkpoint():
        return open_policy(found.folder), f"step-{found.step}"
    raise UserError(f"{run.folder} has neither a policy nor a checkpoint; --policy base takes the one it began from")


def experiment_of(folder: Path) -> Any:
    """The experiment of the run in `folder`, from its config.yaml."""
    from motif.system import config as settings

    if not (folder / "run.json").is_file():
        raise UserError(f"{folder} is no run (it has no run.json); name run folders, as in outputs/RUN")
    read_json(folder / "run.json")  # whose format may be a newer one
    config = read_yaml(folder / "config.yaml")
    try:
        return settings.rebuilt(config)
    except UserError as error:
        raise UserError(f"{folder / 'config.yaml'}: {error}") from None


def study(folder: Path, given: argparse.Namespace) -> None:
    run, experiment = Run(folder), experiment_of(folder)
    if given.gradients:
        gradients(run, experiment, given)
    else:
        agreement(run, experiment)


@failures.program
def main(arguments: Sequence[str] | None = None) -> int:
    form = argparse.RawDescriptionHelpFormatter
    parser = failures.Parser(prog="python -m motif.credit", description=__doc__, formatter_class=form)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, finished or not")
    parser.add_argument("--gradients", type=int, default=0, metavar="N", help="measure gradients on N questions (off)")
    parser.add_argument("--policy", choices=("trained", "base"), default="trained", help="whose gradients (trained)")
    parser.add_argument("--draws", type=int, default=4, help="of each scheme, a group a question each (4)")
    said = "continuations of schemes that have such a setting, several times for several (the run's, or 2)"
    parser.add_argument("--k", type=int, action="append", help=said)
    parser.add_argument("--reference-k", type=int, default=16, metavar="K", help="continuations of the reference (16)")
    parser.add_argument("--reference-draws", type=int, default=2, metavar="R", help="draws of the reference (2)")
    parser.add_argument("--seed", type=int, default=0, help="of questions, draws and sketches (0)")
    given = parser.parse_args(arguments)
    console.quiet()
    failed = 0
    check(given)
    for folder in there(given.runs):
        try:
            with explained(folder, "and type the same command again"):
                study(folder, given)
        except UserError as error:  # the other runs may be good
            print(f"error: {failures.words(error)}", file=sys.stderr)
            failed += 1
    if failed < len(given.runs):
        runs = " ".join(map(str, given.runs)) if len(given.runs) < 4 else "outputs/*"
        if not given.gradients:
            console.say(f"next    python -m motif.credit {runs} --gradients 64    # generates; a GPU helps")
        console.say(f"{'' if not given.gradients else 'next':<8}python -m motif.report {runs}")
    return failures.MISTAKE if failed else 0


def check(given: argparse.Namespace) -> None:
    """A `UserError` where a number is none that can be."""
    if given.gradients:
        whole("--gradients", given.gradients, at_least=2)
    for option in ("draws", "reference_draws"):
        whole(f"--{option.replace('_', '-')}", getattr(given, option), at_least=2)
    for value in (given.reference_k, *(given.k or ())):
        whole("--k and --reference-k", value)
    whole("--seed", given.seed, at_least=0, at_most=2**31 - 1)
