from motif.data import question_id


def test_an_id_depends_on_the_data_set_and_the_text_alone():
    assert question_id("chain", "9a-5") == question_id("chain", "9a-5") == "chain-" + question_id("chain", "9a-5")[6:]
    assert len({question_id("chain", "9a-5"), question_id("chain", "9a-6"), question_id("gsm8k", "9a-5")}) == 3
