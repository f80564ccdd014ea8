"""Names of runs on the command line, where RUN stands beside files."""

from germline.cli.errors import UserError
from germline.cli.genome_file import names_file


def check_run_name(name: str | None) -> None:
    """Raises UserError if commands would read the name of a new run as a file. None is a name that is chosen later."""
    if name is not None and names_file(name):
        raise UserError(
            f"expected a name of a run, got {name!r:.80}, which commands would read as a file; leave out its end"
        )
