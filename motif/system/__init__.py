"""The room of the system: what any program needs, and nothing about language models.

errors        `UserError`, and checks of what a person typed
config        a composed configuration made into objects
targets       classes that a configuration names, and which of them a folder may ask for
console       what a person sees
failures      how a program ends
files         files that are complete or not there
rows          rows of files that people write, as they are written
locks         who works on a run
signals       how a program is asked to stop
processes     several processes of one training
group         one command as several processes of this machine
memory        what a lack of memory looks like
safe_text     secrets hidden, and signs that act made visible
environment   where a run takes place

What most modules need of these is shown here.
"""

from motif.system.environment import install, program, typed
from motif.system.errors import UserError, first_line, hint, listed, number, of_kind, one_of, shown, text, whole
from motif.system.files import explained, named, read_json, read_yaml, there, write_json, write_text
from motif.system.locks import Busy, Lock, reason
from motif.system.memory import OutOfMemory, ran_out
from motif.system.safe_text import all_visible, masked, visible
from motif.system.signals import Stopped

__all__ = ["UserError", "first_line", "hint", "listed", "number", "of_kind", "one_of", "shown", "text", "whole"]
__all__ += ["explained", "named", "read_json", "read_yaml", "there", "write_json", "write_text"]
__all__ += [
    "Busy",
    "Lock",
    "OutOfMemory",
    "Stopped",
    "all_visible",
    "install",
    "masked",
    "program",
    "ran_out",
    "reason",
]
__all__ += ["typed", "visible"]
