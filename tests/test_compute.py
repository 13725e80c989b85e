"""The ledger, on the trees of the measures' tests."""

from motif.compute import Ledger
from tests.test_measures import trees


def test_the_ledger_counts_prompts_once_for_all_replies_drawn_from_them():
    ledger = Ledger()
    found = trees()
    ledger.count(found)
    assert ledger.counts["questions"] == 2
    assert ledger.counts["first_round_replies"] == 4 and ledger.counts["continuations"] == 12
    generated = sum(len(node.reply.token_ids) for tree in found for node in tree.nodes())
    assert ledger.counts["generated_tokens"] == generated
    assert ledger.counts["tokens_round_1"] + ledger.counts["tokens_round_2"] == generated
    first = sum(len(tree.roots[0].reply.prompt_ids) for tree in found)
    second = sum(len(root.children[0].reply.prompt_ids) for tree in found for root in tree.roots)
    assert ledger.counts["prompt_tokens"] == first + second


def test_a_ledger_comes_back_as_it_was_saved():
    ledger = Ledger()
    ledger.count(trees())
    with ledger.phase("rollout"):
        pass
    other = Ledger()
    other.restore(ledger.as_dict())
    assert other.counts == ledger.counts and other.as_dict() == ledger.as_dict()
