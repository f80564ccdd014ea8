"""The process of an operator from outside: it calls the operator's function, once for each request.

Run as `python -m germline.search.proposers.process`. The first line of stdin is the operator's place and options, every
further line a request, and each is answered by a line of JSON on stdout. What the function prints goes to stderr. The
process, with what the function started, ends as soon as its stdin does, in the middle of a call too, so that nothing
outlives a search. The function itself has an empty stdin.
"""

import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from germline.evaluators.errors import in_a_line, shown
from germline.evaluators.plugin_path import import_from
from germline.search.proposers.request import Answer, read_request


def load(place: str) -> Callable[..., Any]:
    """The function at `/path/to/file.py:function` or `module:function`.

    Raises:
        Exception: whatever importing it raises.
    """
    home, _, name = place.rpartition(":")
    if not home.endswith(".py"):
        function: Any = importlib.import_module(home)
    else:
        path = Path(home)
        import_from(path.parent)
        spec = spec_from_file_location(f"germline_operator_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        function = sys.modules[spec.name] = module_from_spec(spec)
        spec.loader.exec_module(function)
    for part in name.split("."):
        function = getattr(function, part)
    if not callable(function):
        raise TypeError(f"expected a function, got {shown(function)}")
    return function  # type: ignore[no-any-return]


def answered(function: Callable[..., Any], line: str, options: dict[str, Any]) -> Answer:
    """The answer of a function to a request; what it raises or returns by mistake becomes the answer's error."""
    try:
        answer = function(read_request(line), **options)
    except Exception as error:
        return Answer("", error=in_a_line(error))
    if isinstance(answer, str):
        return Answer(answer)
    if isinstance(answer, Answer) and _is_plain(answer):
        return answer
    return Answer("", error=f"expected the text of a genome or an Answer, got {shown(answer)}")


def _is_plain(answer: Answer) -> bool:
    texts = (answer.text, answer.model, answer.request or "", answer.error or "")
    counts = (answer.calls, answer.prompt_tokens, answer.answer_tokens)
    return all(isinstance(text, str) for text in texts) and all(type(n) is int and 0 <= n < 2**31 for n in counts)


def _lines(requests: TextIO) -> Iterator[str]:
    """The lines of the search, read by a thread that ends the process, and those that it started, with them."""
    queue: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in requests:
            queue.put(line)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield queue.get()


def main() -> None:
    """Answers requests until stdin ends."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the function prints must not be read as an answer
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)  # what the function starts must not wait for, or read, the requests
    lines = _lines(requests)
    start = json.loads(next(lines))
    try:
        function = load(start["place"])
    except (Exception, SystemExit) as error:
        print(json.dumps({"error": in_a_line(error)}), file=output, flush=True)
        return
    print(json.dumps({"error": None}), file=output, flush=True)
    for line in lines:
        answer = answered(function, line, start["options"])
        print(json.dumps(asdict(answer)), file=output, flush=True)


if __name__ == "__main__":
    main()
