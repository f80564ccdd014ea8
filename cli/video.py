"""Films of episodes, as MP4 (through ffmpeg) or GIF. A film is written picture by picture, and the file appears only
when it is complete."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from germline.cli.errors import UserError, is_ours, single_line
from germline.evaluators.policy.picture import Picture
from germline.programs.export.files import beside, check_writable

FORMATS = (".mp4", ".gif")
FASTEST_GIF = 50
"""The most pictures a second in a GIF, because viewers slow down faster GIFs."""


def check_format(path: Path) -> None:
    """Raises UserError if the extension of a file is not .mp4 or .gif, or the package that writes it is missing."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"expected a film, .mp4 or .gif, got {path.name!r:.80}; write --video policy.mp4")
    _writer_package(path)


def write_film(path: Path, pictures: Iterable[Picture], pace: int) -> None:
    """Writes a film of `pace` pictures a second.

    Raises:
        ExportUnwritable: the path cannot take a file; no picture is drawn.
        UserError: a package is missing, or an error ended the writing.
    """
    check_writable(path)
    write = _write_gif if path.suffix.lower() == ".gif" else _write_mp4
    with _renamed_when_done(path) as unfinished:
        write(unfinished, pictures, pace)


def _write_mp4(path: Path, pictures: Iterable[Picture], pace: int) -> None:
    imageio = _writer_package(path)
    # Most players need even numbers of rows and columns; the writer stretches pictures to a multiple of 2.
    with imageio.get_writer(path, format="FFMPEG", fps=pace, macro_block_size=2, ffmpeg_log_level="error") as writer:
        for picture in pictures:
            writer.append_data(picture)


def _write_gif(path: Path, pictures: Iterable[Picture], pace: int) -> None:
    pil_image = _writer_package(path)
    keep_every = -(-pace // FASTEST_GIF)
    frames = (pil_image.fromarray(picture) for i, picture in enumerate(pictures) if i % keep_every == 0)
    first = next(frames)
    milliseconds = max(1000 // FASTEST_GIF, round(1000 * keep_every / pace))
    first.save(path, "GIF", save_all=True, append_images=chain(frames), duration=milliseconds, loop=0)


def _writer_package(path: Path) -> Any:
    """The module that writes films of the format of `path`, from an optional package.

    Raises:
        UserError: the package is not installed.
    """
    try:
        if path.suffix.lower() == ".gif":
            return import_module("PIL.Image")
        import_module("imageio_ffmpeg")
        return import_module("imageio.v2")
    except ImportError as error:
        raise UserError(
            f"expected the package {error.name}, without which no {path.suffix} is written; "
            "pip install 'germline[video]'"
        ) from None


@contextmanager
def _renamed_when_done(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that is renamed to it at the end, and removed after an error."""
    unfinished = beside(path)
    try:
        yield unfinished
        unfinished.replace(path)
    except (OSError, RuntimeError, ValueError) as error:
        if is_ours(error):
            raise
        cause = (isinstance(error, OSError) and error.strerror) or single_line(error).replace(
            str(unfinished), str(path)
        )
        raise UserError(f"cannot write {str(path)!r:.200} ({cause})", 1) from None
    finally:
        unfinished.unlink(missing_ok=True)
