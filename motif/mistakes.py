"""One line for what was typed wrong: Hydra's own words, shortened, with what is valid.

The words for everything else that ends a program are in `motif.system.failures`.
"""

import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from motif import hydra_private
from motif.system import failures, hint, masked, shown, visible
from motif.system.config import CONF, one_line


def check_options(words: Sequence[str]) -> None:
    """End with one line where Hydra's command line does not know an option."""

    def refuse(message: str) -> NoReturn:
        raise SystemExit(f"error: {message}; settings are typed as KEY=VALUE, --help shows them")

    parser = hydra_private.options()
    parser.error = refuse  # type: ignore[method-assign]
    parser.parse_args([word for word in words if word != "--version"])


def tell(fault: Exception, config: str, logs: Path | None = None) -> None:
    """Say in a line what has ended a program or a sweep: Hydra's own words, a launcher's, or where the traceback of a
    fault of ours lies.

    Args:
        fault: what was raised.
        config: the program's configuration, such as `config` for conf/config.yaml.
        logs: the folder in which a launcher keeps the logs of the jobs; None where it keeps none.
    """
    if isinstance(fault, OSError) and not isinstance(fault, HydraException) and raised_in_hydra(fault):
        told = f"Hydra cannot write {fault.filename}: {fault.strerror}; choose another outputs="
    elif isinstance(fault, HydraException | OmegaConfBaseException | yaml.YAMLError) or raised_in_hydra(fault):
        told = composing(fault, config)
    elif type(fault).__module__.startswith(("submitit.", "joblib.")):
        words = f"{str(fault).strip().splitlines()[-1]} (logs lie in {logs})" if logs else one_line(fault)
        told = f"a job's process ended before its work did: {words}"
    else:
        told = failures.words(fault)
    print(f"error: {visible(masked(told))}", file=sys.stderr)


def composing(fault: Exception, config: str) -> str:
    """Hydra's words for what cannot be composed, in one line that says what is valid."""
    said = re.split(r" Config search path| See https?:| full_key: ", one_line(fault))[0]
    if (found := re.search(r"Could not load '(\w+)/([^']+)'", said)) and (options := options_of(found[1])):
        return one_option(found[1], found[2], options)
    if isinstance(fault, MissingConfigException) and fault.options and fault.missing_cfg_file:
        group, _, option = str(fault.missing_cfg_file).rpartition("/")
        return one_option(group, option, fault.options)
    if isinstance(fault, OverrideParseException):
        why = said.partition(" expecting {")[0].removeprefix(f"Error parsing override '{fault.override}' ")
        quoted = "values with spaces or commas are quoted: 'KEY=\"A, B\"'"
        return f"{shown(fault.override)} is no KEY=VALUE ({why}); {quoted}"
    if found := re.match(r"Could not override '([^']+)'", said):
        return f"unknown key {found[1]}{near(found[1], config)}"
    for group, _, option in (word.partition("=") for word in sys.argv[1:]):
        options = options_of(group) if "Config group" in said else []
        if options and option not in options:
            return one_option(group, option, options)
    return said


def options_of(group: str) -> list[str]:
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def one_option(group: str, option: str, options: Sequence[str]) -> str:
    return f"{group} must be one of {', '.join(options)}, got {shown(option)}{hint(option, options)}"


def raised_in_hydra(fault: BaseException) -> bool:
    """Whether Hydra itself met `fault`, or what it asked Python for, which then comes of what was typed."""
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(fault.__traceback__)]
    if isinstance(fault, OSError):
        modules = [name for name in modules if name.split(".")[0] in ("hydra", "omegaconf", "motif")]
    return bool(modules) and modules[-1].startswith(("hydra.", "omegaconf."))


def near(key: str, config: str) -> str:
    """What a mistyped key may have meant, and its neighbours, as far as the configuration composes without it."""
    typed = [word for word in sys.argv[1:] if "." not in word.split("=")[0] and word.split("=")[0] != key]
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            made = compose(config, [word for word in typed if "=" in word])
        above, _, last = key.rpartition(".")
        groups = {str(name): own for name, own in made.items_ex(resolve=False) if OmegaConf.is_dict(own)}
        if not above and (inside := [f"{name}.{last}" for name, own in groups.items() if last in own]):
            return f", did you mean {' or '.join(inside)}?"
        known = [
            str(each) for each in (OmegaConf.select(made, above) if above else made) if not str(each).startswith("_")
        ]
    except Exception:  # nothing to compare with; what is wrong is said all the same
        return "; --help shows the choices"
    return f"{hint(last, known)} (valid: {', '.join(known)})"
