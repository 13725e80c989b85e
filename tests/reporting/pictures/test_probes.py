"""What rounds contribute, in the report."""

import json

from motif.evaluation.probe.effects import effects
from motif.reporting.folders import read_runs
from motif.reporting.pictures.draw import draw_all
from motif.reporting.program import build
from motif.runs.folder import write_json, write_text
from tests.evaluation.probe.test_effects import records
from tests.support import studies


def probed(folder, **done):
    found = effects(records([1, 0] * 20, **done))
    write_json(folder / "probes/chain-r3-abc.json", {"dataset": "chain", "rounds": 3, **found})
    return found


def test_what_rounds_contribute_is_a_picture_of_the_report_with_its_sentences(tmp_path):
    run = studies.run(tmp_path / "one")
    found = probed(run, early_1=[0] * 40, without_every=[0] * 40, without_1=[1] * 40)
    runs, _ = read_runs([run, studies.run(tmp_path / "two", seed=1)])
    page = build(runs, tmp_path / "report")
    picture = page.parent / "pictures/probes-one-chain-r3-abc"
    assert picture.with_suffix(".png").is_file() and not list(page.parent.glob("pictures/probes-two*"))
    drawn = picture.with_suffix(".svg").read_text()
    for words in (*(each["label"] for each in found["interventions"]), "value of the state", "n = 40", "50.0%"):
        assert words in drawn
    said = {each["name"]: each["sentence"] in page.read_text() for each in found["interventions"]}
    assert said == {"early-1": True, "without-every": True, "without-1": False}  # but once for all rounds


def test_two_rounds_have_one_place_to_intervene_and_values_can_be_left_out(tmp_path):
    run = studies.run(tmp_path / "one")
    found = effects(records([1, 0] * 20, values=(), without_1=[0] * 40))
    write_json(run / "probes/chain-r2-abc.json", {"dataset": "chain", "rounds": 2, **found})
    (picture,) = draw_all(tmp_path, [], [], read_runs([run])[0])
    assert found["interventions"][0]["sentence"] in picture.caption and "value of the state" not in picture.svg


def test_a_policy_that_was_only_probed_is_reported_and_a_file_that_cannot_be_read_is_a_line(tmp_path):
    other = tmp_path / "evaluations/other"
    probed(other, without_1=[0] * 40)
    write_text(other / "probes/chain-r3-torn.json", '{"interventions": [')
    runs, others = read_runs([tmp_path / "evaluations"])
    assert [run.name for run in runs] == ["other"] and others == 0
    assert len(runs[0].complaints) == 1 and "chain-r3-torn.json cannot be read" in runs[0].complaints[0]
    assert "probes-other-chain-r3-abc" in build(runs, tmp_path / "report").read_text()


def test_what_was_found_in_another_shape_is_a_line_and_the_rest_is_drawn(tmp_path, capsys):
    run = studies.run(tmp_path / "one")
    probed(run, without_1=[0] * 40)
    found = json.loads((run / "probes/chain-r3-abc.json").read_text())
    shapes = ([], ["x"], [{}], 3, None, [{"kind": "early"}])
    for place, shape in enumerate(shapes):
        write_json(run / f"probes/odd-{place}.json", {**found, "interventions": shape})
    write_json(run / "probes/odd-values.json", {**found, "values": [1]})
    write_json(run / "credit/agreement.json", {"agreement": ["x"]})
    write_json(run / "credit/gradients-base.json", {"schemes": {"a": 1}})
    page = build(read_runs([run])[0], tmp_path / "report").read_text()
    said = capsys.readouterr()
    assert "probes-one-chain-r3-abc" in page and "Traceback" not in said.out + said.err
    for name in ("odd-1", "odd-2", "odd-3", "odd-4", "odd-5", "odd-values", "agreement", "gradients-base"):
        assert f"/{name}.json of " in said.out + said.err, name
