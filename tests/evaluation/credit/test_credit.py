"""The lab: schemes on trees that another one grew, agreement on a run's records, gradients of the shipped policy."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from motif.evaluation.credit.agreement import Agreement, Sums, agreement, correlation, interval, resampled
from motif.evaluation.credit.gradients import Lab, Sketch
from motif.evaluation.credit.noise import Draw, Measured, cosine, jackknifed, ratio, strength
from motif.evaluation.credit.program import main
from motif.evaluation.credit.schemes import credit, cut, kinds, name, readable
from motif.rounds.episode import Episode, Node, Tree, grade
from motif.rounds.records import as_record, tree_of_record
from motif.rounds.replies import Reply
from motif.system.errors import UserError
from motif.tasks.questions import Question
from motif.training.advantages import EPSILON
from motif.training.algorithms import GRPO, MOTIF, Broadcast, Discounted, LeaveOneOut, Value
from motif.training.rewards import Reward, accuracy, format
from tests.support.toys import good

EPISODE = Episode(rounds=3, tokens=44)


@pytest.fixture(autouse=True)
def the_suites_own(monkeypatch):
    """Other tests define schemes of their own, which would be among them."""
    own = [kind for kind in kinds() if kind.__module__ == "motif.training.algorithms"]
    monkeypatch.setattr("motif.evaluation.credit.schemes.kinds", lambda: own)
    monkeypatch.setattr("motif.evaluation.credit.gradients.kinds", lambda: own)


ACCURACY = Reward({"accuracy": accuracy}, {}, {"accuracy": 1.0})
BOTH = Reward({"accuracy": accuracy}, {"format": format}, {"accuracy": 1.0, "format": 0.1})


def node(round, *children, right=False, rounds=3, text="so"):
    """A reply with its continuations; one without any has ended its episode."""
    made = Node(round, rounds, Reply(text, [1, 2], [3], True), True, None, children=list(children))
    made.ended, made.correct = not children, right
    return made


def line(*rights, round=1):
    """A reply and its only continuations, the last of which is right or wrong."""
    return node(round, right=rights[0]) if len(rights) == 1 else node(round, line(*rights[1:], round=round + 1))


def tree(*roots, id="q"):
    return Tree(Question(id, "1+1", "2"), list(roots))


def by_hand():
    """m = 2, k = 2: the first root's futures are right and wrong, of the second's both are wrong."""
    one = node(1, node(2, node(3, right=True)), node(2, node(3, right=False)))
    other = node(1, node(2, node(3, right=False)), node(2, node(3, right=False)))
    return tree(one, other)


def advantages(scheme, *trees, reward=ACCURACY):
    return [[each.advantage for each in group] for group in credit(scheme, trees, reward)]


def test_every_scheme_of_a_tree_by_hand():
    # motif: returns 1/2 and 0, spread √(1/8); broadcast: the main lines' outcomes 1 and 0, spread √(1/2)
    half, one = 0.25 / (0.125**0.5 + EPSILON), 0.5 / (0.5**0.5 + EPSILON)
    assert advantages(MOTIF(m=2, k=2), by_hand()) == [[pytest.approx(half), pytest.approx(-half)]]
    assert advantages(LeaveOneOut(m=2, k=2), by_hand()) == [[0.5, -0.5]]
    assert advantages(Broadcast(m=2), by_hand()) == [[pytest.approx(x) for x in [one] * 3 + [-one] * 3]]
    found = advantages(Discounted(m=2, gamma=0.5), by_hand())
    assert found == [[pytest.approx(x) for x in (one / 4, one / 2, one, -one / 4, -one / 2, -one)]]


def test_value_of_a_tree_by_hand_and_motif_on_its_part():
    # k = 1: V_1 = 1 and 0 by the side branches, V_2 = 1 and 0, outcomes 0 and 0; before round 1 the other one's V_1
    one = node(1, node(2, node(3), node(3, right=True)), node(2, node(3, right=True)))
    other = node(1, node(2, node(3), node(3)), node(2, node(3)))
    found = credit(Value(m=2, k=1), [tree(one, other)], ACCURACY, "none")
    assert [each.advantage for each in found[0]] == [1.0, 0.0, -1.0, -1.0, 0.0, 0.0]
    assert advantages(LeaveOneOut(m=2, k=2), tree(one, other)) == [[0.5, -0.5]], "1 of 2, not 2 of 3 leaves"


def test_trajectories_of_different_lengths_and_groups_without_spread():
    short = node(1, right=True)
    found = credit(Broadcast(m=2), [tree(short, line(0, 0, 0))], ACCURACY)[0]
    assert [each.node.round for each in found] == [1, 1, 2, 3] and [each.returned.share for each in found][1] == 1 / 3
    assert found[0].advantage == pytest.approx(-found[1].advantage) and found[0].advantage > 0
    flat = tree(line(0, 0, 1), line(0, 0, 1))
    for scheme in (MOTIF(m=2, k=1), LeaveOneOut(m=2, k=1), Broadcast(m=2), Discounted(m=2)):
        assert not any(advantages(scheme, flat)[0]), scheme.name


def test_a_scheme_is_defined_on_trees_that_branch_as_much_as_it_does():
    found, why = readable(MOTIF(m=4, k=2), 3)
    assert [name(each) for each in found] == ["motif k=2", "leave_one_out k=2", "broadcast", "discounted gamma=0.5"]
    assert why["value"] == "it needs 2 continuations after round 2, and there is 1" and "in 1 round" in why["grpo"]
    found, why = readable(Value(m=4, k=2), 3)
    assert name(found[0]) == "motif k=3" and name(found[-1]) == "value k=2" and set(why) == {"grpo"}
    found, why = readable(Broadcast(m=4), 3)
    assert "motif k=1" in [name(each) for each in found] and set(why) == {"grpo", "value"}
    own = Discounted(m=4, gamma=0.9)
    assert own in readable(own, 3)[0] and len(readable(own, 3)[0]) == 4, "the run's own, in the place of its kind"
    assert len(readable(GRPO(m=4), 1)[0]) == 6 and not readable(GRPO(m=4), 1)[1]


def test_on_one_round_all_but_leave_one_out_are_grpo():
    one_round = tree(*(node(1, right=right, rounds=1) for right in (1, 0, 0, 1)))
    found = {name(each): advantages(each, one_round)[0] for each in readable(GRPO(m=4), 1)[0]}
    same = [key for key, value in found.items() if value == pytest.approx(found["grpo"], rel=1e-3)]
    assert len(same) == 5 and advantages(LeaveOneOut(m=4), one_round)[0][0] == pytest.approx(2 / 3)


def test_a_tree_is_cut_to_what_a_scheme_would_have_grown_and_never_made_up():
    made = cut(by_hand(), [2, 1, 1])
    assert [len(root.children) for root in made.roots] == [1, 1] and [len(r.children) for r in by_hand().roots] == [
        2,
        2,
    ]
    with pytest.raises(UserError, match="2 replies where the algorithm of config.yaml draws 3"):
        cut(by_hand(), [2, 3, 1])


def test_a_scheme_agrees_with_itself_entirely_and_with_its_opposite_not_at_all():
    made = [tree(line(0, 0, a), line(0, 0, b), id=f"q{place}") for place, (a, b) in enumerate([(1, 0), (0, 1), (1, 1)])]
    found = Agreement([Broadcast(m=2), MOTIF(m=2, k=1)])
    for each in made:
        (own,), (same,) = (credit(scheme, [each], ACCURACY) for scheme in (Broadcast(m=2), MOTIF(m=2, k=1)))
        found.add(each.question.id, {"broadcast": own, "motif k=1": same})
    result = found.result()
    (row,) = result["agreement"]
    assert row["round"] == 1 and row["n"] == 6 and row["questions"] == 3 and row["both"] == 4
    assert row["correlation"] == pytest.approx(1) and row["opposed"] == 0
    groups = {entry["scheme"]: entry for entry in result["signal"] if entry["round"] is None}
    assert groups["broadcast"]["share"] == groups["motif k=1"]["share"] == 1 / 3 and groups["broadcast"]["n"] == 3
    opposite = Sums(8)
    for x in (1.0, 2.0, -3.0):
        opposite.add("q", 1, x, -x, x * x, x * x, -x * x, 1, 1)
    assert agreement(opposite)["correlation"] == pytest.approx(-1) and agreement(opposite)["opposed"] == 1


def test_correlation_is_pearsons_and_none_where_nothing_varies():
    x, y = np.random.default_rng(0).normal(size=(2, 50))
    sums = np.array([50, x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()])
    assert correlation(sums) == pytest.approx(np.corrcoef(x, y)[0, 1])
    silent = Sums(8)
    silent.add("q", 4, 0, 2.0, 0, 3.0, 0, 0, 0)
    assert agreement(silent)["correlation"] is None and agreement(silent)["interval"] is None


def test_the_intervals_cover_the_correlation_of_questions_that_are_drawn_anew():
    """Questions differ: within one the advantages share an effect, so that replies alone would give too narrow ones."""
    generator, covered, true = np.random.default_rng(1), 0, 0.5
    for _ in range(60):
        shared = generator.normal(size=(60, 1, 2))
        both = shared + generator.normal(size=(60, 4, 2))
        x, y = both[..., 0], true * both[..., 0] + (1 - true**2) ** 0.5 * both[..., 1]
        columns = (np.full(60, 4.0), x.sum(1), y.sum(1), (x * x).sum(1), (y * y).sum(1), (x * y).sum(1))
        low, high = interval(correlation(resampled(np.stack(columns, 1), draws=200)))
        covered += low <= true <= high
    assert covered >= 50, covered


def test_a_record_is_read_back_as_the_tree_that_it_was():
    texts = iter([good("\\boxed{2}"), "cut off", good("note"), good("\\boxed{3}")] * 50)
    made = by_hand()
    for each in made.nodes():
        again = EPISODE.read(Reply(next(texts), [1, 2, 3], [4], each.round % 2 == 0), each.round)
        for key in ("reply", "well_formed", "answer", "events", "ended"):
            setattr(each, key, getattr(again, key))
        each.carried = None if again.ended else "note"
    grade([made])
    record = json.loads(json.dumps(as_record(made)))
    back = tree_of_record(record, EPISODE)
    assert as_record(back) == as_record(made) and back.question == made.question
    for one, other in zip(back.nodes(), made.nodes(), strict=True):
        assert replace(one, children=[], reply=None) == replace(other, children=[], reply=None)
        assert len(one.reply.token_ids) == 3 and one.reply.finished == other.reply.finished
    for scheme in readable(MOTIF(m=2, k=2), 3)[0]:
        assert advantages(scheme, back, reward=BOTH) == advantages(scheme, made, reward=BOTH)
    with pytest.raises(UserError, match="round 1 goes on"):
        tree_of_record(record, EPISODE.with_rounds(1))
    del record["replies"][0]["finished"]
    with pytest.raises(UserError, match="lacks finished"):
        tree_of_record(record, EPISODE)


# --- gradients


def sums(gradients):
    """`Measured` of an array (draws, questions, size)."""
    made = Measured(gradients.shape[1], gradients.shape[2])
    for draw in gradients:
        made.add(Draw(draw, 10 * gradients.shape[1], {1}))
    return made


def test_signal_noise_and_cosine_are_those_that_gradients_were_drawn_with():
    generator = np.random.default_rng(0)
    direction = np.zeros(40)
    direction[:2] = 1.0
    other = np.zeros(40)
    other[1:3] = 1.0
    mean = generator.normal(size=(30, 1)) * 0.2 + 1  # of a question, along the direction
    draws = mean[None] * direction + generator.normal(size=(50, 30, 40))
    reference = mean[None] * other + generator.normal(size=(50, 30, 40))
    weights = np.full((1, 30), 1 / 30)
    one, two = sums(draws), sums(reference)
    assert strength(one, weights)[0] == pytest.approx(2 * mean.mean() ** 2, rel=0.1)
    assert (weights @ one.variance)[0] == pytest.approx(40, rel=0.1)
    assert ratio(one, weights)[0] == pytest.approx(2 * mean.mean() ** 2 / 40, rel=0.15)
    assert cosine(one, two, weights)[0] == pytest.approx(0.5, abs=0.08) and one.per_group == 10


def test_noise_alone_has_no_signal():
    found = [strength(sums(np.random.default_rng(seed).normal(size=(8, 6, 30))), np.full((1, 6), 1 / 6))[0]
             for seed in range(200)]  # fmt: skip
    naive = 30 / (8 * 6)  # |mean|² of noise
    assert abs(np.mean(found)) < 0.1 * naive


def test_a_jackknife_of_means_is_the_t_interval():
    values = np.random.default_rng(0).normal(size=12)
    without = [np.delete(values, place).mean() for place in range(12)]
    low, high = jackknifed(np.array([values.mean(), *without]))
    from scipy.stats import sem, t

    half = t.ppf(0.975, 11) * sem(values)
    assert (low, high) == (pytest.approx(values.mean() - half), pytest.approx(values.mean() + half))
    assert jackknifed(np.array([1.0, np.nan, 1.0])) is None


def test_a_sketch_keeps_inner_products_on_average_and_is_linear():
    import torch

    generator = torch.Generator().manual_seed(1)
    one, other = (torch.randn(30, 20, generator=generator) for _ in range(2))
    other = other + 0.5 * one
    exact, found = float((one * other).sum()), []
    for seed in range(100):
        sketch = Sketch([one], size=64, seed=seed)
        found.append(float(sketch([one]) @ sketch([other])))
        assert np.allclose(sketch([one + 2 * other]), sketch([one]) + 2 * sketch([other]), atol=1e-4)
    error = float(one.norm() * other.norm()) / 64**0.5
    assert abs(np.mean(found) - exact) < 4 * error / 10 and np.std(found) < 1.5 * error


@pytest.mark.parametrize("algorithm", [MOTIF(m=4, k=2), Value(m=4, k=1)], ids=name)
def test_the_gradient_is_the_one_that_the_trainer_takes(tmp_path, algorithm):
    from transformers import TrainerCallback

    from motif.policies.tiny import Tiny
    from motif.rounds.prompts import Prompts
    from motif.runs.checkpoints import Checkpoints
    from motif.runs.ledger import Ledger
    from motif.tasks.chain import Chain
    from motif.training.rollout import Rollout
    from motif.training.trainer import make_trainer
    from motif.training.trl_config import trainer_arguments

    options = {"loss_type": "grpo", "beta": 0.0, "bf16": False, "max_grad_norm": 0.0, "gradient_checkpointing": False}
    algorithm = replace(algorithm, steps=1, questions=2, trainer=options)
    policy, episode = Tiny().load(), Episode(3, 44, temperature=1.5, prompts=Prompts(wording="terse"))
    questions = Chain(train_size=16, longest=4).train()
    lab = Lab(policy, episode, BOTH, algorithm, grade)
    rollout = Rollout(algorithm, episode, BOTH, questions, lambda trainer: lab.generate, policy.tokenizer, Ledger(), 0)
    arguments = trainer_arguments(algorithm, episode, BOTH, 0, tmp_path, Checkpoints())
    trainer, seen = make_trainer(policy, arguments, rollout), []

    class Watch(TrainerCallback):
        def on_pre_optimizer_step(self, *_, **__):
            taken = lab.sketch([each.grad for each in lab.parameters])
            seen.append((taken, lab.draw(rollout.trees, {"own": algorithm}, "group")["own"]))

    trainer.add_callback(Watch())
    trainer.train()
    ((taken, drawn),) = seen
    assert np.linalg.norm(taken) > 1e-3 and np.allclose(
        drawn.gradients.mean(0), -taken, atol=1e-3 * np.linalg.norm(taken)
    )
    assert drawn.rounds == ({1} if isinstance(algorithm, MOTIF) else {1, 2, 3})
    assert drawn.tokens == sum(len(each.reply.token_ids) for tree in rollout.trees for each in tree.nodes())


@pytest.fixture(scope="module")
def run(forks, tmp_path_factory):
    """A finished run of `value` on the embedded default: two steps."""
    folder = tmp_path_factory.mktemp("credit")
    words = ["experiment=smoke", "algo=value", "algo.k=1", "algo.m=4", "algo.steps=2", "evaluation.before=false"]
    status, said = forks.train(folder, *words, "evaluation.questions=4", "name=run", "tracking=none").wait()
    assert status == 0, said
    return folder / "outputs" / "run"


def records(run):
    with gzip.open(run / "episodes.jsonl.gz", "rt") as file:
        return [json.loads(line) for line in file]


def remade(run, folder, lines, end=b""):
    """The run's folder with other episodes, in `folder`."""
    made = folder / "run"
    made.mkdir()
    for file in ("run.json", "config.yaml"):
        (made / file).write_bytes((run / file).read_bytes())
    content = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())
    (made / "episodes.jsonl.gz").write_bytes(content + end)
    return made


def test_a_runs_own_advantages_are_those_that_it_recorded_and_all_schemes_are_held_against_them(run, capsys):
    assert main([str(run)]) == 0
    found = json.loads((run / "credit/agreement.json").read_text())
    assert found["recorded"] == 0.0 and found["own"] == "value k=1" and found["groups"] == len(records(run)) == 4
    assert found["schemes"][0] == "motif k=2" and set(found["undefined"]) == {"grpo"}
    assert {row["round"] for row in found["agreement"] if row["one"] == "broadcast"} == {1, 2, 3}
    lines = (run / "credit/agreement.csv").read_text().splitlines()
    assert len(lines) == 1 + len(found["agreement"]) and lines[0].startswith("one,other,round,n,")
    said = capsys.readouterr().out
    assert "grpo: it is of replies in 1 round" in said and "--gradients 64" in said and "python -m motif.report" in said


def test_gradients_of_a_runs_policy_are_measured_written_and_drawn(run, capsys):
    words = ["--gradients", "2", "--draws", "2", "--k", "1", "--reference-k", "1", "--reference-draws", "2"]
    assert main([str(run), *words, "--policy", "base"]) == 0
    found = json.loads((run / "credit/gradients-base.json").read_text())
    rows = {row["scheme"]: row for row in found["schemes"]}
    assert list(rows) == ["motif k=1", "leave_one_out k=1", "broadcast", "discounted gamma=0.5", "value k=1"]
    assert rows["broadcast"]["tokens"] == rows["motif k=1"]["tokens"] < rows["value k=1"]["tokens"]
    assert all(row["noise"] >= 0 for row in found["schemes"]) and any(row["noise"] > 0 for row in found["schemes"])
    assert rows["value k=1"]["against_own"] in (None, 1.0) and rows["motif k=1"]["trained_rounds"] == 1
    before = (run / "credit/gradients-base.json").read_bytes()
    assert main([str(run), *words, "--policy", "base"]) == 0
    assert (run / "credit/gradients-base.json").read_bytes() == before, "the same command gives the same numbers"
    assert "python -m motif.report" in capsys.readouterr().out


def test_what_cannot_be_read_is_one_line_and_the_other_runs_are_done(run, tmp_path, capsys):
    whole = records(run)

    def refused(*folders):
        assert main(list(map(str, folders))) == 2
        said = capsys.readouterr()
        (line,) = said.err.splitlines()
        return line, said.out

    assert "is not there" in refused(tmp_path / "nowhere")[0] and "is no run" in refused(tmp_path)[0]
    (tmp_path / "bare").mkdir()
    bare = remade(run, tmp_path / "bare", whole)
    (bare / "episodes.jsonl.gz").unlink()
    line, said = refused(bare, run)
    assert "has no episodes.jsonl.gz" in line and "without a signal" in said

    older = json.loads(json.dumps(whole))
    del older[2]["replies"][0]["prompt_tokens"]
    (tmp_path / "older").mkdir()
    line, _ = refused(remade(run, tmp_path / "older", older))
    assert "step 2" in line and "lacks prompt_tokens" in line and not (tmp_path / "older/run/credit").exists()

    changed = json.loads(json.dumps(whole))
    changed[0]["replies"][0]["values"]["format"] += 1
    (tmp_path / "changed").mkdir()
    assert "the reward term format is" in refused(remade(run, tmp_path / "changed", changed))[0]

    (tmp_path / "empty").mkdir()
    assert "holds no episode" in refused(remade(run, tmp_path / "empty", []))[0]
    assert main([str(run), "--gradients", "1"]) == 2 and "--gradients must be" in capsys.readouterr().err


def test_what_a_kill_tore_off_the_end_is_left_out_with_a_line(run, tmp_path, capsys):
    tail = gzip.compress(b"x" * 1000)[:-9]
    made = remade(run, tmp_path, records(run), tail)
    assert main([str(made)]) == 0
    assert "is torn; what comes before it is used" in capsys.readouterr().out
    assert json.loads((made / "credit/agreement.json").read_text())["groups"] == 4


def test_a_batchs_spread_needs_all_of_its_questions(run, tmp_path, capsys):
    made = remade(run, tmp_path, records(run)[:1])
    config = yaml.safe_load((made / "config.yaml").read_text())
    config["algo"]["trainer"]["scale_rewards"] = "batch"
    (made / "config.yaml").write_text(yaml.safe_dump(config))
    assert main([str(made)]) == 2
    assert "the spread of all 2 questions of a step" in capsys.readouterr().err


def test_the_report_draws_what_was_found(run, tmp_path):
    from motif.reporting.arms import arms
    from motif.reporting.folders import read_runs
    from motif.reporting.pictures import draw_all

    main([str(run)])
    drawn = {picture.name: picture for picture in draw_all(tmp_path, arms(read_runs([run])[0]), [])}
    picture = drawn["credit-agreement-1"]
    assert "motif k=2 and leave_one_out k=2" in picture.svg and "n = 16 replies of 4 questions" in picture.svg
    assert "bootstrap over questions; seed 0" in picture.caption and (tmp_path / "credit-agreement-1.png").is_file()
