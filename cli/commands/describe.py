"""`germline describe`: the facts of genomes."""

from typing import Any

import click

from germline.cli.common import console, db_option, json_option, print_json, size_options
from germline.cli.errors import UserError, printable
from germline.cli.reference import HELP, Candidate


@click.command(epilog=HELP)
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option("--latency", "timed", is_flag=True, help="Measure what an architecture's network takes for one image.")
@click.option("--device", default="cpu", show_default=True, help="Where it is measured: cpu, cuda or auto.")
@size_options
@db_option
@json_option
def command(
    references: tuple[str, ...], timed: bool, device: str, asked: dict[str, Any], url: str, as_json: bool
) -> None:
    """Count what each REF is made of.

    Of an optimizer statements, states and constants; of an architecture the parameters and multiply-accumulates of its
    network, whose size is that of its run unless the options say otherwise. A genome is checked completely, and nothing
    of it is executed; but --latency builds an architecture's network, and runs it.

    \b
    Examples:
      germline describe optimizer-1 library:lion my_program.py
      germline describe cell.json --channels 36 --cells 20 --classes 10 --latency
    """
    from germline.cli.individuals import describe
    from germline.cli.reference import resolve

    rows: list[dict[str, Any]] = []
    for reference in references:
        candidate = resolve(reference, url)
        facts = describe(candidate, **asked)
        if timed:
            facts["latency_measured"] = _latency(candidate, asked, device)
        rows.append({"ref": candidate.label, **facts})
    if as_json:
        print_json(rows)
    else:
        _print(rows)


def _latency(candidate: Candidate, asked: dict[str, Any], device: str) -> float:
    """Milliseconds that the network takes for one image, here and now."""
    if candidate.kind != "architecture":
        raise UserError(
            f"expected an architecture for --latency, got {printable(candidate.label)} of kind "
            f"{printable(candidate.kind)}; leave --latency away"
        )
    from germline.cli.individuals import network_size
    from germline.evaluators.architecture.latency import measured
    from germline.programs.architecture.genome import read
    from germline.programs.architecture.network import Network

    architecture = read(candidate.genome)
    size = network_size(candidate, architecture, **asked)
    return measured(Network(architecture, size), size.image, device)


def _print(rows: list[dict[str, Any]]) -> None:
    from germline.cli.genome_text import summary
    from germline.cli.render import QUIET, plain_table, print_table, safe

    table = plain_table("genome", "kind", "size", "fingerprint")
    for row in rows:
        size = summary(row) + _times(row)
        table.add_row(safe(row["ref"], "bold"), safe(row["kind"]), safe(size), safe(row["fingerprint"], QUIET))
    print_table(console(), table)


def _times(row: dict[str, Any]) -> str:
    told = (("latency", "predicted"), ("latency_measured", "measured"))
    return "".join(f", {row[name]:.3g} ms {how}" for name, how in told if name in row)
