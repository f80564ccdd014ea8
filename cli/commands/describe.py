"""`germline describe`: prints size and fingerprint of genomes."""

from typing import Any

import click

from germline.cli.formatting import QUIET, milliseconds, plain_table, print_table, safe
from germline.cli.genome_facts import genome_facts
from germline.cli.options import db_option, device_option, json_option, size_options
from germline.cli.output import console, print_json
from germline.cli.presenters.registry import presenter_of
from germline.cli.printing import say
from germline.cli.reference import HELP, resolve
from germline.programs.architecture.notation import NOTATIONS


@click.command(epilog=HELP)
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option(
    "--latency", "timed", is_flag=True, help="Measure a network's time for one image, or an optimizer's for a step."
)
@device_option("With --latency: device that is timed.", default="cpu")
@click.option(
    "--as",
    "notation",
    type=click.Choice(tuple(NOTATIONS)),
    help="Print architectures in this notation instead: as a genome, a genotype of DARTS or a cell of NAS-Bench-201.",
)
@size_options
@db_option
@json_option
def command(
    references: tuple[str, ...],
    timed: bool,
    device: str,
    notation: str | None,
    sizes: dict[str, Any],
    url: str,
    as_json: bool,
) -> None:
    """Print size and fingerprint of each REF.

    For an optimizer: statements, states and constants, and with --latency the time of its update of the 3,466
    parameters of digits-mlp, for one model. For an architecture: parameters and multiply-accumulates of its network, in
    the size of its run (the paper's size without a run) unless options give another, and its predicted latency if the
    run has a table of latencies. For a policy: parameters and mutations. Genomes are checked completely, but not
    executed; only --latency runs a network or an optimizer.

    \b
    Examples:
      germline describe optimizer-1 library:lion my_program.py --latency
      germline describe cell.json --channels 36 --cells 20 --classes 10 --latency
      germline describe cells --as darts
    """
    rows: list[dict[str, Any]] = []
    for reference in references:
        candidate = resolve(reference, url)
        facts = genome_facts(candidate, sizes)
        if timed:
            facts["latency_measured"] = presenter_of(candidate.kind).latency(candidate, sizes, device)
        if notation is not None:
            facts["text"] = presenter_of(candidate.kind).written_as(candidate, notation)
        rows.append({"ref": candidate.label, **facts})
    if as_json:
        print_json(rows)
    elif notation is not None:
        for row in rows:
            say(row["text"])
    else:
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    table = plain_table("genome", "kind", "size", "fingerprint")
    for row in rows:
        size = presenter_of(row["kind"]).summary(row) + _latencies(row)
        table.add_row(safe(row["ref"], "bold"), safe(row["kind"]), safe(size), safe(row["fingerprint"], QUIET))
    print_table(console(), table)


def _latencies(row: dict[str, Any]) -> str:
    """The predicted and the measured latency of a genome as text; empty if neither is known."""
    if row["kind"] == "optimizer" and "latency_measured" in row:
        time = row["latency_measured"]
        return f", {milliseconds(time) if time >= 1 else f'{1e3 * time:.3g} µs'} a step"
    sources = (("latency", "predicted"), ("latency_measured", "measured"))
    return "".join(f", {milliseconds(row[name])} {source}" for name, source in sources if name in row)
