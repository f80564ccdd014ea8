"""From a program to a verified file."""

import os
from dataclasses import dataclass

from germline.programs.export.files import check_writable, write_whole
from germline.programs.export.origin import Origin
from germline.programs.optimizer.export.source import export_torch
from germline.programs.optimizer.export.verify import ExportMismatch, verify_torch
from germline.programs.optimizer.program import Program


@dataclass(frozen=True)
class Verified:
    """A source text that has been run against the interpreter, and the largest relative difference found."""

    source: str
    difference: float


def verified_torch(program: Program, origin: Origin, class_name: str) -> Verified:
    """The readable form of a program if it equals the interpreter, and its exact form otherwise.

    Raises:
        ExportMismatch: not even the exact form does.
    """
    source = export_torch(program, origin, class_name)
    try:
        return Verified(source, verify_torch(source, program, class_name))
    except ExportMismatch:
        exact = export_torch(program, origin, class_name, exact=True)
        return Verified(exact, verify_torch(exact, program, class_name))


def write_verified(path: str | os.PathLike[str], source: str, program: Program, class_name: str) -> float:
    """Verifies a source and writes it; returns the largest relative difference found.

    The file appears whole or not at all: it is written beside its place, synced, and renamed. One that was there is
    replaced.

    Raises:
        ExportMismatch: the source differs from the program. Nothing is written.
        ExportUnwritable: the folder is missing, or nothing can be written there.
    """
    check_writable(path)
    difference = verify_torch(source, program, class_name)
    write_whole(path, source)
    return difference
