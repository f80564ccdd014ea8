"""`germline import`: records a run whose first births are genomes from elsewhere."""

from typing import Any

import click

from germline.cli.database import open_store
from germline.cli.errors import BadReference
from germline.cli.formatting import counted
from germline.cli.options import db_option, json_option
from germline.cli.output import print_json, stdout_apart
from germline.cli.plan_options import plan_options
from germline.cli.printing import say
from germline.cli.reference import HELP, resolve
from germline.search.imports import KEY
from germline.search.kinds import kind_named
from germline.search.run import plan_run, record_run


@click.command(epilog=HELP)
@click.argument("references", nargs=-1, required=True, metavar="FILE...")
@plan_options
@db_option
@json_option
def command(
    references: tuple[str, ...],
    plan_arguments: dict[str, Any],
    url: str,
    as_json: bool,
) -> None:
    """Record a run that begins with genomes from elsewhere: a file, or any other REF, for each.

    The genomes are kept in the run's config and become its first births, after the start program if there is one, with
    the operator import. `germline resume` scores them and goes on: the search selects among them as among its own.
    All genomes must be of one kind. Strategies that plan each birth (constants, local, pareto-local, openai-es,
    sep-cma-es) take none.

    \b
    Example:
      germline import found.txt library:lion --name mine --births 2000
    """
    candidates = [resolve(reference, url) for reference in references]
    kinds = {candidate.kind: candidate.label for candidate in candidates}
    if len(kinds) > 1:
        got = " and ".join(f"{label} of kind {kind}" for kind, label in kinds.items())
        raise BadReference(f"expected genomes of one kind, got {got}; import them into two runs")
    [kind] = kinds
    kind_named(kind)
    with open_store(url, create=True) as store:
        with stdout_apart():
            plan = plan_run(kind, **plan_arguments, imported=[candidate.genome for candidate in candidates])
        # Loads Ray's guards.
        from germline.cli.search_session import resume_command_of, warn_of_held_out_tasks

        warn_of_held_out_tasks(plan.task)
        run = record_run(store, plan)
    if as_json:
        print_json({"run": run.name, "kind": kind, "imported": len(run.config[KEY])})
    else:
        say(f"recorded {run.name}, which begins with {counted(len(candidates), 'genome')} from elsewhere")
        say(f"go on   {resume_command_of(run, url, None)}")
