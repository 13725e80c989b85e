"""A composed configuration made into objects: every key is checked, and every mistake is one line.

A configuration names classes by `_target_`. What a folder names is built only where `targets` allows it. It may name
classes by the modules of the first version.
"""

import inspect
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from motif.system.environment import has_bfloat16
from motif.system.errors import UserError, hint, one_of
from motif.system.targets import check_trusted, current_target, why_missing, with_targets

# conf/hydra/launcher has the plugins' own names, so that their schemas check it
warnings.filterwarnings("ignore", r"(?s).*is validated against ConfigStore schema with the same name")

# Hydra copies its store of schemas at each composition, and 128 times for --help; what it reads there it copies anyway
ConfigStore.__deepcopy__ = lambda store, memo: store  # type: ignore[attr-defined]

# what a choice depends on where it is made; the values that these give are recorded, and are part of what a run is
OmegaConf.register_new_resolver("if_installed", lambda name, yes, no: yes if find_spec(name) else no, replace=True)
OmegaConf.register_new_resolver("if_bfloat16", lambda yes, no: yes if has_bfloat16() else no, replace=True)

OF_PROGRAMS = ("processes", "patience", "sweep")  # settings of a program, and of nothing that it builds
SEVERAL = "motif.runs.tracking.base.Several"  # trackers, where a list of options was chosen
PACKAGE = Path(__file__).parents[1]
CONF = next(folder for folder in (PACKAGE.parent / "conf", PACKAGE / "conf") if (folder / "config.yaml").is_file())


def resolved(config: DictConfig) -> dict[str, Any]:
    """`config` as plain values. A missing value or a broken interpolation is a `UserError`."""
    try:
        if missing := sorted(OmegaConf.missing_keys(config)):
            raise UserError(f"{missing[0]} has no value: give it as {missing[0]}=VALUE")
        plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key}: {str(error).strip().splitlines()[0]}") from error
    if isinstance(tracking := plain.get("tracking"), dict) and len(names := tracking.pop("_options_", {})) > 1:
        plain["tracking"] = {"_target_": SEVERAL, "trackers": [own_settings(name, tracking) for name in names]}
    evaluation = plain.get("evaluation")
    if isinstance(evaluation, dict):
        path, names = evaluation.pop("path", None), evaluation.get("datasets")
        own = (plain.get("dataset") or {}).get("path")
        if path is None and isinstance(own, str) and own and Path(own).expanduser().is_dir():
            path = own
        if isinstance(names, list):
            evaluation["datasets"] = [dataset(name, path) for name in names]
    return plain


def own_settings(name: str, tracking: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the option `name` of the config group `tracking` in those of several, which are merged: a setting
    that two of them have is typed once for both."""
    own: dict[str, Any] = OmegaConf.to_container(compose(f"tracking/{name}").tracking)  # type: ignore[assignment]
    del own["_options_"]
    return {key: value if key in ("_target_", "name") else tracking[key] for key, value in own.items()}


def dataset(name: Any, path: str | None = None) -> Any:
    """The settings of the option `name` of the config group `dataset`, with its files at `path` if that is given."""
    if not isinstance(name, str):
        return name
    options = GlobalHydra.instance().config_loader().get_group_options("dataset")
    one_of("evaluation.datasets", name, options)
    found: dict[str, Any] = OmegaConf.to_container(compose(f"dataset/{name}").dataset)  # type: ignore[assignment]
    return {**found, "path": path} if path is not None else found


def build(config: DictConfig) -> Any:
    """The object that `config` describes. A key or a value that its class refuses is a `UserError`."""
    plain = {key: value for key, value in resolved(config).items() if key not in OF_PROGRAMS}
    check_keys(plain)
    try:
        return instantiate(OmegaConf.create(plain), _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        raise UserError(one_line(error)) from error


def composes(words: Sequence[str]) -> bool:
    """Whether Hydra is at work and these overrides, of which its own count for nothing, make an experiment."""
    if not GlobalHydra.instance().is_initialized():
        return False
    own = [word for word in words if "=" in word and not word.startswith(("hydra", "-"))]
    try:
        return build(compose("config", [*own, "name=x"])) is not None
    except (UserError, HydraException, OmegaConfBaseException):
        return False


def rebuilt(config: Mapping[str, Any]) -> Any:
    """The object that the config.yaml of a run describes. A `UserError` where it describes none, or is not trusted."""
    if not isinstance(config, Mapping) or "_target_" not in config:
        raise UserError("it holds no experiment")
    current = with_targets(config, current_target)
    check_trusted(current, "it")
    return build(OmegaConf.create(current))


def check_keys(node: Any, path: str = "") -> None:
    """A `UserError` where a node has a key that its class does not know."""
    if isinstance(node, list):
        for place, item in enumerate(node):
            check_keys(item, f"{path}[{place}]")
    if not isinstance(node, dict):
        return
    if target := node.get("_target_"):
        try:
            known = list(inspect.signature(get_object(target)).parameters)
        except Exception as error:
            raise UserError(f"{path or 'config'}._target_: {why_missing(target) or one_line(error)}") from error
        for key in node:
            if not key.startswith("_") and key not in known:
                where = f"{path}.{key}" if path else key
                raise UserError(f"unknown key {where}{hint(key, known)} (valid: {', '.join(known)})")
    for key, value in node.items():
        check_keys(value, f"{path}.{key}" if path else key)


def one_line(error: BaseException) -> str:
    """The message of an error of Hydra or Python, in one line."""
    return re.sub(r"\s+", " ", str(error)).strip()[:500]
