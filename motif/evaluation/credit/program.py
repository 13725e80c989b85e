"""`python -m motif.credit outputs/RUN [--gradients N]`: every credit scheme on the same rollouts.

Without more it reads the trees that the run recorded: do schemes agree, and which of them have nothing to say? With
--gradients N it grows new trees of N training questions and asks how good an estimate of the policy gradient each is.
What it finds is written to credit/ in the run's folder; `python -m motif.report` draws it.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from motif.evaluation.credit import tables
from motif.evaluation.credit.agreement import agree
from motif.evaluation.credit.schemes import name as scheme_name
from motif.runs.folder import Run
from motif.system import UserError, console, failures, whole
from motif.system import config as settings
from motif.system.files import explained, read_json, read_yaml, there, write_json, write_text

FOLDER = "credit"


def agreement(run: Run, experiment: Any) -> None:
    """The agreement of schemes on the recorded trees: written and shown."""
    if not run.episodes_file.is_file():
        raise UserError(
            f"{run.folder} has no {run.episodes_file.name}: it has not taken a step yet, or record.questions was 0"
        )
    name = run.folder.name
    with console.progress(f"trees of {name}") as report:
        episode = training_episode(experiment)
        result, torn = agree(run.episodes_file, experiment.algo, episode, experiment.reward, report)
    write(run, "agreement", result, {"agreement": result["agreement"], "signal": result["signal"]})
    for line in torn:
        console.say(line, style="yellow")
    if result["agreement"]:
        console.show(tables.agreement_table(name, result))
    console.show(tables.signal_table(name, result))
    first, last = result["steps"]
    console.say(
        f"{result['groups']} groups of {result['questions']} questions, steps {first} to {last}; advantages of "
        f"{result['own']} as made here differ from those recorded in training by {result['recorded']:.1g} at most"
    )
    for scheme, reason in result["undefined"].items():
        console.say(f"not defined on these trees: {scheme}: {reason}")
    console.say(f"folder  {run.folder / FOLDER}")


def gradients(run: Run, experiment: Any, given: argparse.Namespace) -> None:
    """The gradients of schemes on new trees of the policy: written and shown."""
    from motif.evaluation.credit.gradients import Lab, Setting, measure

    console.quiet_bars()
    name, own = run.folder.name, experiment.algo
    questions = experiment.dataset.train()
    if len(questions) < given.gradients:
        raise UserError(f"--gradients={given.gradients}: {experiment.dataset.name} has {len(questions)} for training")
    questions = Random(given.seed).sample(questions, given.gradients)
    ks = tuple(given.k or [getattr(own, "k", 2)])
    setting = Setting(given.gradients, given.draws, ks, given.reference_k, given.reference_draws)
    with console.progress(f"loading {given.policy} of {name}") as report:
        policy, policy_name = load_policy(run, experiment, given.policy, report)
    lab = Lab(policy, training_episode(experiment), experiment.reward, own, experiment.flaws.marks(), given.seed)
    with console.progress(f"gradients of {name}", setting.draws + setting.reference_draws) as report:
        schemes = measure(lab, questions, setting, report)
    result = {
        "policy": policy_name,
        "own": scheme_name(own),
        "questions": len(questions),
        "draws": setting.draws,
        "m": own.m,
        "reference_k": setting.reference_k,
        "reference_draws": setting.reference_draws,
        "seed": given.seed,
        "loss": "mean token" if lab.mean_token else "sum of tokens",
        "scale": lab.scale,
        "schemes": schemes,
    }
    write(run, f"gradients-{policy_name}", result, {f"gradients-{policy_name}": schemes})
    console.show(tables.gradients_table(name, result))
    console.say(f"folder  {run.folder / FOLDER}")


def write(run: Run, name: str, result: Mapping[str, Any], rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the result as JSON, and its `rows` as CSV, by the names of the files."""
    write_json(run.folder / FOLDER / f"{name}.json", result)
    for csv_name, of_csv in rows.items():
        write_text(run.folder / FOLDER / f"{csv_name}.csv", tables.as_csv(of_csv))


def training_episode(experiment: Any) -> Any:
    """The episode as it was in training."""
    rounds = experiment.algo.rounds(experiment.rounds)
    return experiment.flaws.training_episode(experiment.episode).with_rounds(rounds)


def load_policy(run: Run, experiment: Any, which: str, report: Any) -> tuple[Any, str]:
    """The policy before training (`base`), or as trained (`trained`), and its name. Of an unfinished run it is that of
    the newest checkpoint."""
    from transformers import set_seed

    from motif.policies.pretrained import open_policy

    if which == "base":
        set_seed(experiment.seed)  # of fresh adapters, as the run does it
        return experiment.model.load(report), "base"
    if run.summary():
        return open_policy(run.folder), "trained"
    if checkpoint := run.checkpoint():
        return open_policy(checkpoint.folder), f"step-{checkpoint.step}"
    raise UserError(f"{run.folder} has neither a policy nor a checkpoint; --policy base takes the one it began from")


def experiment_of(folder: Path) -> Any:
    """The experiment of the run in `folder`, from its config.yaml."""
    if not (folder / "run.json").is_file():
        raise UserError(f"{folder} is no run (it has no run.json); name run folders, as in outputs/RUN")
    read_json(folder / "run.json")  # whose format may be a newer one
    config = read_yaml(folder / "config.yaml")
    try:
        return settings.rebuilt(config)
    except UserError as error:
        raise UserError(f"{folder / 'config.yaml'}: {error}") from None


@failures.program
def main(arguments: Sequence[str] | None = None) -> int:
    form = argparse.RawDescriptionHelpFormatter
    parser = failures.Parser(prog="python -m motif.credit", description=__doc__, formatter_class=form)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, finished or not")
    parser.add_argument("--gradients", type=int, default=0, metavar="N", help="measure gradients on N questions (off)")
    parser.add_argument("--policy", choices=("trained", "base"), default="trained", help="whose gradients (trained)")
    parser.add_argument("--draws", type=int, default=4, help="of each scheme, a group a question each (4)")
    of_k = "continuations, a number or adaptive, of schemes that have them; several times for several (the run's, or 2)"
    parser.add_argument("--k", type=count, action="append", help=of_k)
    parser.add_argument("--reference-k", type=int, default=16, metavar="K", help="continuations of the reference (16)")
    parser.add_argument("--reference-draws", type=int, default=2, metavar="R", help="draws of the reference (2)")
    parser.add_argument("--seed", type=int, default=0, help="of questions, draws and sketches (0)")
    given = parser.parse_args(arguments)
    check(given)
    console.quiet()
    failed = 0
    for folder in there(given.runs):
        try:
            with explained(folder, "and type the same command again"):
                run, experiment = Run(folder), experiment_of(folder)
                gradients(run, experiment, given) if given.gradients else agreement(run, experiment)
        except UserError as error:  # the other runs may be good
            print(f"error: {failures.words(error)}", file=sys.stderr)
            failed += 1
    if failed < len(given.runs):
        runs = " ".join(map(str, given.runs)) if len(given.runs) < 4 else "outputs/*"
        commands = [f"python -m motif.report {runs}"]
        if not given.gradients:
            commands.insert(0, f"python -m motif.credit {runs} --gradients 64    # generates; a GPU helps")
        for head, command in zip(("next", ""), commands, strict=False):
            console.say(f"{head:<8}{command}")
    return failures.MISTAKE if failed else 0


def count(text: str) -> int | str:
    """--k as it is typed. argparse names it in the message where it is neither."""
    return text if text == "adaptive" else int(text)


def check(given: argparse.Namespace) -> None:
    """Raises a `UserError` where a number is out of its range."""
    if given.gradients:
        whole("--gradients", given.gradients, at_least=2)
    for option in ("draws", "reference_draws"):
        whole(f"--{option.replace('_', '-')}", getattr(given, option), at_least=2)
    for value in (given.reference_k, *(k for k in given.k or () if k != "adaptive")):
        whole("--k and --reference-k", value)
    whole("--seed", given.seed, at_least=0, at_most=2**31 - 1)
