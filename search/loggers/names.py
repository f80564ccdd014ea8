"""Loggers by name, as `--log` takes them."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from germline.search.loggers.mlflow import MLflowLogger
from germline.search.loggers.run_logger import RunLogger
from germline.search.loggers.tensorboard import TensorBoardLogger
from germline.search.loggers.wandb import WandbLogger

LOGGERS: dict[str, tuple[str, str, Callable[[str], RunLogger]]] = {
    "tensorboard": ("tensorboard:DIR", "tensorboard", lambda place: TensorBoardLogger(Path(place))),
    "mlflow": ("mlflow or mlflow:URI", "mlflow", lambda uri: MLflowLogger(uri or None)),
    "wandb": ("wandb or wandb:PROJECT", "wandb", lambda project: WandbLogger(project or "germline")),
}
"""Of each logger its form, the package that it needs, and what makes it of the text behind the colon. The extra of
Germline with the package has the logger's name."""


class UnknownLogger(ValueError):
    """A text names no logger, or a logger whose package is not installed."""


def loggers_named(texts: Sequence[str]) -> list[RunLogger]:
    """The loggers of texts such as `tensorboard:logs`, `mlflow`, `mlflow:sqlite:///mlflow.db` or `wandb:my-project`.
    The packages are not imported yet.

    Raises:
        UnknownLogger
    """
    return [_logger(text) for text in texts]


def _logger(text: str) -> RunLogger:
    name, _, place = text.partition(":")
    if name not in LOGGERS:
        near = get_close_matches(name, LOGGERS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(form for form, _, _ in LOGGERS.values())}"
        raise UnknownLogger(f"expected a logger, got {name!r:.60}; {hint}")
    form, package, make = LOGGERS[name]
    if not place and form.startswith(f"{name}:"):
        raise UnknownLogger(f"expected {form}, got {text!r:.60}; name the folder for its files")
    if find_spec(package) is None:
        raise UnknownLogger(
            f"expected the package {package} for --log {name}, which is not installed; pip install 'germline[{name}]'"
        )
    return make(place)
