"""A kind of genome, as data: everything that differs between searching optimizers, architectures and policies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from germline.programs.space import Space
from germline.search.loop import Plan
from germline.search.settings import Setting
from germline.search.strategy import Strategy

G = TypeVar("G")

Values = Mapping[str, Any]
"""The resolved settings of a run."""


@dataclass(frozen=True)
class Preset:
    """A named set of values. `births` is how many a search runs for, and `task` what for, unless told otherwise."""

    description: str
    values: Values
    births: int
    task: str | None = None
    """None: the kind's default."""


@dataclass(frozen=True)
class Kind(Generic[G]):
    """One kind of genome.

    `genome_version` changes with the meaning of genomes or of their fingerprints: a run is only gone on with under the
    version that it began with. `settings` lists what a run of this kind can be told, `presets` the named sets.
    `prepare` makes values complete for a task when a run is created (it reads the start genome, so that the run depends
    on no file), and refuses those that no search can keep. The next four build the parts of a run from complete values,
    and `describe(text, values, **asked)` gives the facts of one genome: in a run of these values, or as asked.
    `in_full(values, task)` gives the values under which a genome is trained on a task as it will be used, without what
    a search alone needs; `baseline(text, values)` what people would use in its place: what it is called, its text, and
    values for it.
    """

    name: str
    genome_version: int
    default_task: str
    settings: Sequence[Setting]
    presets: Mapping[str, Preset]
    prepare: Callable[[Values, Any], dict[str, Any]]
    space: Callable[[Values], Space[G]]
    strategy: Callable[[Values, Space[G]], Strategy[Any]]
    options: Callable[[Values], dict[str, Any]]
    plan: Callable[[Values, int], Plan]
    describe: Callable[..., dict[str, Any]]
    in_full: Callable[[Values, Any], Values]
    baseline: Callable[[str, Values], tuple[str, str, Values]]
