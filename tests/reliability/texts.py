"""Scenario of hostile texts: row F3 of docs/reliability.md."""

import time
from contextlib import chdir
from itertools import cycle, islice, product
from pathlib import Path

from click.testing import CliRunner
from hostile_texts import ESCAPES, KINDS, READERS, harmless, inert, three_runs, write_everywhere
from result import Result

from germline.cli.main import cli

TEXTS = {
    "escapes, markup and marks of direction": ESCAPES,
    "an import": "__import__('os').system('touch proof')",
    "names with two underscores": "().__class__.__mro__[1].__subclasses__()",
    "a script": "</text><script>alert(1)</script><text>",
    "an entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;',
    "a path": "../../../../tmp/proof",
    "a command": '$(touch proof); touch proof `touch proof` "\n touch proof',
    "a format": "%s%n{0.__class__}{cli}",
    "markup of a terminal": "[link=file:///etc/passwd]x[/link] [bold]y [/nothing] :skull:",
    "a megabyte": "\x1b[31mlong " * 100_000,
}


def hostile_texts(count: int, folder: Path) -> Result:
    """Databases with hostile texts (`write_everywhere`); every command reads them, and prints text and JSON.

    A case is a command on a database.
    """
    began, failures = time.monotonic(), []
    original = three_runs(folder / "original.db")
    place = folder / "place"
    place.mkdir()
    databases = cycle(product(TEXTS, (True, False), KINDS))
    cases = ((name, runnable, kind, form) for name, runnable, kind in databases for form in READERS)
    with chdir(place):
        latest = None
        for name, runnable, kind, form in islice(cases, count):
            if latest != (name, runnable, kind):
                latest = name, runnable, kind
                for file in place.iterdir():
                    file.unlink()
                Path("hostile.db").write_bytes(original)
                write_everywhere(Path("hostile.db"), TEXTS[name], runnable)
            words = [word.replace("NAME", kind) for word in form.split()]
            result = CliRunner().invoke(cli, words, env={"GERMLINE_DB": "hostile.db"})
            try:
                inert(result, form)
                for picture in place.glob("*.svg"):
                    harmless(picture)
                assert not list(place.glob("*proof*")) and not Path("/tmp/proof").exists()
            except AssertionError as error:
                failures.append(f"{name}, {kind}, {form}: {error!s:.300}")
    what = f"commands that read a database with hostile texts ({', '.join(TEXTS)})"
    return Result("F3", what, count, tuple(failures), time.monotonic() - began)
