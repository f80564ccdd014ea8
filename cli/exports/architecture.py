"""Architectures as files."""

from germline.cli.errors import UserError, single_line
from germline.cli.exports.made import Asked, Made
from germline.programs.architecture import onnx_file
from germline.programs.architecture.counts import Counts
from germline.programs.architecture.export import TOLERANCE, free_name, verified_torch
from germline.programs.architecture.genome import read
from germline.programs.export.files import check_writable, write_whole
from germline.search.architecture import skeleton


def torch(asked: Asked) -> Made:
    """An nn.Module of the full network, which has been compared with it in size and output."""
    name = asked.name() if asked.class_name else free_name(asked.name())
    check_writable(asked.path)
    architecture = read(asked.candidate.genome)
    size = skeleton(asked.candidate.settings, architecture, **asked.sizes)
    try:
        verified = verified_torch(architecture, size, asked.origin(), name)
    except ValueError as error:
        raise UserError(single_line(error)) from None
    write_whole(asked.path, verified.source)
    return Made(
        verified.source,
        name,
        what=f"class {name}(nn.Module)",
        against=_network(verified.counts),
        use=f"net = {name}()",
        difference=verified.difference,
        tolerance=TOLERANCE,
    )


def onnx(asked: Asked) -> Made:
    """The full network in evaluation, for which another runtime has come to the same logits."""
    check_writable(asked.path)
    architecture = read(asked.candidate.genome)
    size = skeleton(asked.candidate.settings, architecture, **asked.sizes)
    verified = onnx_file.verified_onnx(architecture, size, asked.origin())
    write_whole(asked.path, verified.content)
    return Made(
        verified.content,
        None,
        what=f"an ONNX network for images {list(size.image)}; its weights are {onnx_file.WEIGHTS}",
        against=_network(verified.counts),
        use="session.run(['logits'], {'images': images})",
        difference=verified.difference,
        tolerance=onnx_file.TOLERANCE,
    )


def _network(counts: Counts) -> str:
    return f"its network ({counts.params:,} parameters, {counts.macs:,} multiply-accumulates)"
