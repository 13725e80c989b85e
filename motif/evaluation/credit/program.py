"""`python -m motif.credit outputs/RUN [--gradients N | --variance N]`: every credit scheme on the same rollouts.

Without more it reads the trees that the run recorded: do schemes agree, and which of them have nothing to say? With
--gradients N it grows new trees of N training questions and asks how good an estimate of the policy gradient each is.
With --variance N it asks which round makes the outcome vary, and how many continuations are worth their tokens.
What it finds is written to credit/ in the run's folder; `python -m motif.report` draws it.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from motif.evaluation.credit import tables
from motif.evaluation.credit.agreement import agree
from motif.evaluation.credit.schemes import name as scheme_name
from motif.evaluation.evaluate import Records, kept
from motif.runs.folder import Run
from motif.system import UserError, console, failures, whole
from motif.system import config as settings
from motif.system.files import explained, read_json, read_yaml, there, write_json, write_text
from motif.tasks.questions import Question

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
    questions = drawn_questions(experiment, "--gradients", given.gradients, given.seed)
    ks = tuple(given.k or [getattr(own, "k", 2)])
    setting = Setting(given.gradients, given.draws, ks, given.reference_k, given.reference_draws)
    policy_name = which_policy(run, given.policy)
    with console.progress(f"loading {policy_name} of {name}") as report:
        policy = load_policy(run, experiment, policy_name, report)
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


def variance(run: Run, experiment: Any, given: argparse.Namespace) -> None:
    """The parts of the outcome's variance, of new nested trees of the policy: written and shown. Trees that lie there
    are read, so that the same command goes on where it was stopped."""
    from motif.evaluation.credit.variance import ROWS, Forest, Shape, decomposition
    from motif.generation.engines import Transformers

    name, episode = run.folder.name, training_episode(experiment)
    if episode.rounds < 2:
        raise UserError(f"--variance is of episodes in several rounds, and those of {run.folder} have one")
    shape = Shape(given.m, given.k[0] if given.k else 8, given.later if episode.rounds > 2 else 1)
    questions = drawn_questions(experiment, "--variance", given.variance, given.seed)
    policy_name = which_policy(run, given.policy)
    size = f"m{shape.m}-k{shape.k}-l{shape.later}-s{given.seed}"
    file = run.folder / FOLDER / f"variance-{policy_name}-n{len(questions)}-{size}.jsonl"

    @cache
    def forest() -> Forest:
        with console.progress(f"loading {policy_name} of {name}") as report:
            policy = load_policy(run, experiment, policy_name, report)
        generate = Transformers().generator(policy)
        return Forest(episode, generate, policy.tokenizer, experiment.flaws.marks(), shape, given.seed)

    def measure(batch: Sequence[Any], before: Records) -> list[dict[str, Any]]:
        return forest().records(batch)

    at_once = max(1, ROWS // shape.ends)
    with console.progress(f"nested trees of {name}", len(questions)) as report:
        records = kept(questions, file, at_once, measure, lambda _: {}, report)
    result = {
        **{"policy": policy_name, "questions": len(questions), "seed": given.seed},
        **asdict(shape),
        **decomposition(records, shape),
    }
    rows = {f"variance-{policy_name}": result["components"], f"variance-{policy_name}-k": result["predicted"]}
    write(run, f"variance-{policy_name}", result, rows)
    console.show(tables.variance_table(name, result))
    for line in tables.variance_lines(result):
        console.say(line)
    console.say(f"folder  {run.folder / FOLDER}")


def drawn_questions(experiment: Any, option: str, count: int, seed: int) -> list[Question]:
    """So many training questions, drawn by `seed`."""
    questions = experiment.dataset.train()
    if len(questions) < count:
        raise UserError(f"{option}={count}: {experiment.dataset.name} has {len(questions)} for training")
    return Random(seed).sample(questions, count)


def write(run: Run, name: str, result: Mapping[str, Any], rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the result as JSON, and its `rows` as CSV, by the names of the files."""
    write_json(run.folder / FOLDER / f"{name}.json", result)
    for csv_name, of_csv in rows.items():
        write_text(run.folder / FOLDER / f"{csv_name}.csv", tables.as_csv(of_csv))


def training_episode(experiment: Any) -> Any:
    """The episode as it was in training."""
    rounds = experiment.algo.rounds(experiment.rounds)
    return experiment.flaws.training_episode(experiment.shown).with_rounds(rounds)


def which_policy(run: Run, which: str) -> str:
    """`base`, the policy before training, or `trained`; of an unfinished run that of its newest checkpoint, as
    `step-20`."""
    if which == "base" or run.summary():
        return which
    if checkpoint := run.checkpoint():
        return f"step-{checkpoint.step}"
    raise UserError(f"{run.folder} has neither a policy nor a checkpoint; --policy base takes the one it began from")


def load_policy(run: Run, experiment: Any, name: str, report: Any) -> Any:
    """The policy that `which_policy` names."""
    from transformers import set_seed

    from motif.policies.pretrained import open_policy

    if name == "base":
        set_seed(experiment.seed)  # of fresh adapters, as the run does it
        return experiment.model.load(report)
    checkpoint = None if name == "trained" else run.checkpoint()
    return open_policy(checkpoint.folder if checkpoint else run.folder)


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
    parser.add_argument("--variance", type=int, default=0, metavar="N", help="split the variance on N questions (off)")
    parser.add_argument(
        "--policy", choices=("trained", "base"), default="trained", help="which one generates (trained)"
    )
    parser.add_argument("--draws", type=int, default=4, help="of each scheme, a group a question each (4)")
    of_k = (
        "continuations, a number or adaptive, of schemes that have them; several times for several "
        "(the run's, or 2; of --variance one number, 8)"
    )
    parser.add_argument("--k", type=count, action="append", help=of_k)
    parser.add_argument("--reference-k", type=int, default=16, metavar="K", help="continuations of the reference (16)")
    parser.add_argument("--reference-draws", type=int, default=2, metavar="R", help="draws of the reference (2)")
    parser.add_argument("--m", type=int, default=8, help="first replies of a tree of --variance (8)")
    parser.add_argument("--later", type=int, default=2, help="ends of a continuation in --variance (2)")
    parser.add_argument("--seed", type=int, default=0, help="of questions, draws and sketches (0)")
    given = parser.parse_args(arguments)
    check(given)
    console.quiet()
    failed = 0
    for folder in there(given.runs):
        try:
            with explained(folder, "and type the same command again"):
                run, experiment = Run(folder), experiment_of(folder)
                if given.variance:
                    variance(run, experiment, given)
                elif given.gradients:
                    gradients(run, experiment, given)
                else:
                    agreement(run, experiment)
        except UserError as error:  # the other runs may be good
            print(f"error: {failures.words(error)}", file=sys.stderr)
            failed += 1
    if failed < len(given.runs):
        runs = " ".join(map(str, given.runs)) if len(given.runs) < 4 else "outputs/*"
        commands = [f"python -m motif.report {runs}"]
        if not (given.gradients or given.variance):
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
    if given.variance:
        whole("--variance", given.variance, at_least=3)
        if given.gradients or len(given.k or ()) > 1:
            raise UserError("--variance is for itself, without --gradients, and takes one --k")
        for option, value in {"m": given.m, "k": (given.k or [8])[0], "later": given.later}.items():
            whole(f"--{option}", value, at_least=2)
    for option in ("draws", "reference_draws"):
        whole(f"--{option.replace('_', '-')}", getattr(given, option), at_least=2)
    for value in (given.reference_k, *(k for k in given.k or () if k != "adaptive")):
        whole("--k and --reference-k", value)
    whole("--seed", given.seed, at_least=0, at_most=2**31 - 1)
