"""`germline dashboard`: shows the runs of a database in a browser."""

import webbrowser

import click

from germline.cli.errors import UserError
from germline.cli.options import db_option
from germline.cli.printing import say


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Port to listen on; 0: a free port."
)
@click.option("--open/--no-open", "opens", default=False, help="Open the page in the browser of this machine.")
@db_option
def command(port: int, opens: bool, url: str) -> None:
    """Show the runs of a database as web pages, on this machine alone.

    The pages show runs and their comparison, fitness over births with reviews, operators, failures, workers, the front,
    lineages and individuals, policies as films, and follow a search while it runs. They listen on 127.0.0.1 and change
    nothing, but for the button that asks a running search to stop. Ctrl-C ends the server.

    \b
    Example:
      germline dashboard --db runs.db
    """
    try:
        import germline.cli.dashboard.formula  # noqa: F401
        from germline.cli.dashboard.app import application
        from germline.cli.dashboard.film_maker import FilmMaker
        from germline.cli.dashboard.films import Films
        from germline.cli.dashboard.server import LOOPBACK, listen, serve
    except ModuleNotFoundError as error:
        raise UserError(f"the dashboard needs {error.name}: run `pip install 'germline[dashboard]'`") from None
    listening = listen(port)
    address = f"http://{LOOPBACK}:{listening.getsockname()[1]}/"
    films = Films(FilmMaker())
    app = application(url, listening.getsockname()[1], films)

    def ready() -> None:
        say(f"{address}  (Ctrl-C ends it)")
        if opens:
            webbrowser.open(address)

    serve(app, listening, ready, ending=films.stop)
