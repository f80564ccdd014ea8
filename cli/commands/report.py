"""`germline report`: writes what the dashboard shows of a run as a file."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from germline.cli.errors import UserError
from germline.cli.formatting import size
from germline.cli.options import db_option, json_option
from germline.cli.output import check_output, print_json
from germline.cli.printing import say
from germline.programs.export.files import write_whole
from germline.search.garbage_collection import rare_collections


@click.command()
@click.argument("run")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="The HTML file to write.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@db_option
@json_option
def command(run: str, path: Path, force: bool, url: str, as_json: bool) -> None:
    """Write what the dashboard shows of RUN as a single HTML file.

    The file opens in any browser without a network: fitness over births with reviews, operators, failures, workers, the
    front, the lineage of the winner, and the winner itself. If that is a policy, it plays an
    episode, whose film is in the file if it is small.

    \b
    Example:
      germline report optimizer-1 -o report.html
    """
    check_output(path, ".html", force)
    try:
        # `formula` first: jinja2 may be there without the extra, as torch brings it; latex2mathml is not.
        import germline.cli.dashboard.formula  # noqa: F401
        from germline.cli.dashboard.reader import Reader
        from germline.cli.dashboard.report import report
    except ModuleNotFoundError as error:
        raise UserError(f"a report needs {error.name}: run `pip install 'germline[dashboard]'`") from None
    with closing(Reader(url)) as reader, rare_collections():
        text = report(reader, run, f"{datetime.now(UTC):%Y-%m-%d %H:%M}")
    write_whole(path, text)
    if as_json:
        print_json({"run": run, "path": str(path), "bytes": len(text.encode())})
    else:
        say(f"wrote {path}: {run}, {size(len(text.encode()))}")
