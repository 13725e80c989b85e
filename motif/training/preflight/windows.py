"""Do prompts and replies fit? The shortest reply into a round's window, the longest prompt into the model's context."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from motif.policies.policy import Policy, context
from motif.rounds.episode import Episode
from motif.system import shown
from motif.system.safe_text import encodable
from motif.tasks.questions import Question
from motif.training.preflight.reply_forms import RIGHT, Check, sample

LONGEST = 16  # questions whose prompts are rendered: the longest by bytes


UNSPELLED = 10  # a question cannot be spelled where more than a tenth of its tokens is unknown


class Plan(NamedTuple):
    """Replies that the run will ask for: what for (`training`, or a data set), how, and on which questions."""

    purpose: str
    episode: Episode
    questions: Sequence[Question]


def windows(plans: Sequence[Plan], policy: Policy, engine: Any, budgeted: bool) -> tuple[list[Check], dict[str, Any]]:
    """Whether the shortest reply fits into each round's window, and each round's longest prompt and window into the
    model's context. A prompt is taken to carry as much as may be carried.

    Args:
        plans: what replies are asked for, the training first.
        policy: whose tokenizer and template make prompts.
        engine: the choice of `generation`, which may know a shorter context than the model.
        budgeted: whether `evaluation.budget` makes the windows of evaluations.

    Returns:
        The checks, and the numbers of tokens that they rest on.
    """
    tokens = policy.tokenizer(list(tags(plans[0].episode)), add_special_tokens=False)["input_ids"]
    room_for_both, setting = positions(engine, policy)
    numbers: dict[str, Any] = {"tags": sum(map(len, tokens)), "context": room_for_both, "rounds": []}
    narrow, long = Check("a minimal reply fits the window"), Check("prompts fit the context")
    for purpose, episode, questions in plans:
        if not questions:
            continue
        longest = sorted(questions, key=length)[-LONGEST:]
        for round in sorted({1, 2, episode.rounds} & set(range(1, episode.rounds + 1))):
            room, key = episode.sampling(round).tokens, window_key(purpose, episode, round, budgeted)
            least = minimal(episode, round, questions, policy.tokenizer)
            carries = None if round == 1 else ""
            prompts = policy.render([episode.conversation(question, round, carries) for question in longest])
            own, question = max((len(ids), question.id) for ids, question in zip(prompts, longest, strict=True))
            prompt = own + (carried(episode, round) if round > 1 else 0)
            row = {"for": purpose, "rounds": episode.rounds, "round": round}
            numbers["rounds"].append({**row, "prompt": prompt, "window": room, "minimal": least})
            where = f"in round {round} of {episode.rounds}, {purpose}"
            if room < least and not narrow.wrong:
                narrow = Check(
                    narrow.name,
                    f"a minimal reply takes {least} tokens with its tags and a round has {room} ({key}; {where})",
                    f"raise {key} to several times as much",
                )
            if room_for_both and prompt + room > room_for_both and not long.wrong:
                words = f"a prompt of {prompt} tokens ({question}) and a reply of {room} do not fit {room_for_both}"
                helps = f"lower {key}{' or episode.carry.tokens' if round > 1 else ''}, or leave such questions out"
                long = Check(long.name, f"{words} ({setting}; {where})", helps)
    return [narrow, long, spelled(plans[0].questions, policy)], numbers


def spelled(questions: Sequence[Question], policy: Policy) -> Check:
    """Whether the tokenizer has tokens for the questions, as far as a sample tells."""
    name, unknown = "questions can be spelled", policy.tokenizer.unk_token_id
    for question in sample(questions) if unknown is not None else ():
        ids = policy.tokenizer(encodable(question.text), add_special_tokens=False)["input_ids"]
        if ids.count(unknown) > len(ids) / UNSPELLED:
            words = f"the tokenizer cannot spell a question ({shown(question.text)}), so that nothing is learned"
            return Check(name, words, "choose a model of its language")
    return Check(name)


def length(question: Question) -> int:
    """Bytes of the question's text."""
    return len(question.text.encode("utf-8", "surrogatepass"))


def window_key(purpose: str, episode: Episode, round: int, budgeted: bool) -> str:
    """The setting that makes a round's window."""
    if purpose != "training" and budgeted:
        return "evaluation.budget"
    return "episode.later.tokens" if round > 1 and episode.later.get("tokens") else "episode.tokens"


def tags(episode: Episode) -> list[str]:
    return [f"<{slash}{tag}>" for tag in (episode.prompts.reasoning, episode.prompts.answer) for slash in ("", "/")]


def minimal(episode: Episode, round: int, questions: Sequence[Question], tokenizer: Any) -> int:
    """Tokens of the shortest well-formed reply, its end included; of a last round, with golds as all but the longest
    hundredth of them are."""
    open_reasoning, end_reasoning, open_answer, end_answer = tags(episode)
    last = round == episode.rounds
    answers = [f"\\boxed{{{question.gold}}}" for question in sample(questions)] if last else ["-"]
    texts = [f"{open_reasoning}{end_reasoning}{open_answer}{answer}{end_answer}" for answer in answers]
    if episode.prompts.format == "plain":
        golds = [question.gold for question in sample(questions)] if last else ["-"]
        texts = [episode.prompts.reply("", gold, last).strip() for gold in golds]
    sizes = sorted(map(len, tokenizer(list(map(encodable, texts)), add_special_tokens=False)["input_ids"]))
    return sizes[int(RIGHT * (len(sizes) - 1))] + 1


def carried(episode: Episode, round: int) -> int:
    """Tokens that reach `round` from the one before, at most."""
    return int(episode.carry.most([episode.sampling(before).tokens for before in range(1, round)]))


def positions(engine: Any, policy: Policy) -> tuple[int | None, str]:
    """Tokens that a prompt and its reply may have together (None: any number), and what says so."""
    limits = context(policy.model)
    if limit := getattr(engine, "max_length", None):
        limits.append((limit, "generation.max_length"))
    return min(limits, default=(None, ""))
