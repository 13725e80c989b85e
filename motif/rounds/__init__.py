"""The room of rounds: episodes as trees, the words of their prompts, and what one round carries to the next.

episode   a question's tree of replies, and how it is grown and graded
prompts   the words of each round, and the parts of a reply
carry     what a round carries to the next one: five choices
replies   what a generator takes and gives: sampling and replies
marking   grading divided among processes
metrics   trees read as numbers
records   trees as lines of JSON, and back
"""

from motif.rounds.episode import Episode, Node, Tree, grade, grow
from motif.rounds.prompts import Conversation, Prompts
from motif.rounds.replies import Generate, Reply, Sampling, draw_key

__all__ = ["Conversation", "Episode", "Generate", "Node", "Prompts", "Reply", "Sampling", "Tree", "draw_key"]
__all__ += ["grade", "grow"]
