"""What `germline validate --against` does with its options."""

import shlex
from typing import TYPE_CHECKING, Any

from germline.cli.database import open_store
from germline.cli.errors import UserError
from germline.cli.interrupts import deferred_signals
from germline.cli.output import check_output, console, print_json, stdout_apart
from germline.cli.pictures.formats import check_picture, picture_format
from germline.cli.printing import say
from germline.cli.reference import chosen
from germline.cli.session_options import SessionOptions
from germline.cli.tuned_comparison.options import AgainstOptions
from germline.programs.export.files import write_whole

if TYPE_CHECKING:
    from germline.search.analysis.line_plot import LinePlot

DEFAULT_TRIALS, DEFAULT_LENGTHS, DEFAULT_SEEDS = 64, (1.0, 4.0), 10


def compare_fairly(
    references: tuple[str, ...],
    criterion: str | None,
    tasks: tuple[str, ...],
    rung: int | None,
    seeds: int | str | None,
    against: AgainstOptions,
    device: str,
    url: str,
    as_json: bool,
) -> None:
    """Compares optimizers, prints the result, writes the files that were asked for, and records the verdicts.

    Args:
        references: the judged optimizers.
        criterion: which individual of a run is meant; None: its winner.
        tasks: names of tasks; empty: the task of the first run, or `digits-mlp`.
        rung: whose steps lengths are multiples of; None: 0.
        seeds: final seeds, or `auto`; None: the default.
        against: what they are compared with, and how.
        device: device that trains.
        url: database of runs and trainings.
        as_json: True: JSON instead of tables.

    Raises:
        BadReference, UserError: something that was named cannot be compared, or a file cannot be written.
    """
    if against.path is not None:
        check_output(against.path, ".md", against.force)
    # Imports torch, which takes seconds; `germline validate --help` answers without.
    from germline.cli.tuned_comparison.curves import picture_paths, plots
    from germline.cli.tuned_comparison.kept import keep_verdicts
    from germline.cli.tuned_comparison.output import as_data, markdown, print_comparison
    from germline.cli.tuned_comparison.session import ComparisonOptions, tuned_comparison
    from germline.evaluators.executors.executor import Stopped
    from germline.evaluators.optimizer.torch_classes import is_class_name
    from germline.evaluators.tasks.name_grammar import absolute_name, names_of
    from germline.evaluators.tasks.registry import confirmed_name

    with stdout_apart():
        candidates = [each if is_class_name(each) else chosen(each, criterion, url) for each in references]
        runs = [candidate.run for candidate in candidates if not isinstance(candidate, str) and candidate.run]
        run_tasks = [confirmed_name(run.task) for run in runs] if not tasks else []
        named = [absolute_name(task) for task in tasks] or [*run_tasks[:1]] or ["digits-mlp"]
        names = [name for task in named for name in names_of(task)]
        options = ComparisonOptions(
            against.references,
            tuple(dict.fromkeys(names)),
            rung or 0,
            against.trials or DEFAULT_TRIALS,
            against.lengths or DEFAULT_LENGTHS,
            None if seeds == "auto" else int(seeds or DEFAULT_SEEDS),
            SessionOptions(None, against.workers, against.executor or "auto", device, against.ray_address),
        )
        if options.seeds is not None and not 2 <= options.seeds <= 40:
            raise UserError(f"expected 2 to 40 seeds with --against, or auto, got {options.seeds}")
        if against.curves is not None:
            for drawing in picture_paths(options.tasks, options.lengths, against.curves):
                check_picture(drawing, against.force)
        with open_store(url, create=True) as store, deferred_signals() as received:
            try:
                comparison = tuned_comparison(candidates, options, store, url, lambda: bool(received))
            except Stopped:
                message = "interrupted; what is trained is recorded, and the same command goes on from there"
                raise UserError(message, 128 + received[0]) from None
        kept = keep_verdicts([each for each in candidates if not isinstance(each, str)], comparison, url)
    if against.path is not None:
        write_whole(against.path, markdown(comparison, _command(references, options)))
    drawings = {} if against.curves is None else plots(comparison, against.curves)
    for drawing, plot in drawings.items():
        write_whole(drawing, _picture(plot, picture_format(drawing)))
    if as_json:
        print_json(as_data(comparison))
    else:
        print_comparison(console(), comparison)
        for written in [*([against.path] if against.path is not None else []), *drawings]:
            say(f"wrote {written}")
        if kept:
            say(f"recorded the verdict on {', '.join(kept)}")


def _picture(plot: "LinePlot", file_format: str) -> bytes:
    from germline.cli.pictures.line_picture import line_picture  # imports matplotlib
    from germline.cli.pictures.page import picture_bytes

    return picture_bytes(line_picture(plot), file_format)


def _command(references: tuple[str, ...], options: Any) -> str:
    """The command that makes the same comparison."""
    words = ["germline", "validate", *references, "--against", ",".join(options.against)]
    for task in options.tasks:
        words += ["--task", task]
    words += ["--rung", str(options.rung), "--trials", str(options.trials)]
    words += ["--lengths", ",".join(f"{length:g}" for length in options.lengths)]
    return shlex.join([*words, "--seeds", "auto" if options.seeds is None else str(options.seeds)])
