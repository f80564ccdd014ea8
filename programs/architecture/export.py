"""Export of an architecture as a file that defines its network and imports torch alone."""

from collections.abc import Mapping
from string import Template

import torch
from torch import Tensor, nn

from germline.programs.architecture.counts import Counts, count
from germline.programs.architecture.genome import NAMES, Architecture
from germline.programs.architecture.network import Network, count_built
from germline.programs.architecture.operations import OPERATIONS, Layer, Operation
from germline.programs.architecture.skeleton import STEM, Skeleton
from germline.programs.export.loading import load_class
from germline.programs.export.names import check_free_name, free_name
from germline.programs.export.origin import Origin
from germline.programs.export.verified import VerifiedExport, check_difference, check_equal, difference_to_largest

TOLERANCE = 1e-6
"""The largest difference of logits allowed, relative to the largest logit."""


_USED_NAMES = frozenset(
    (
        *("torch", "F", "nn", "OPERATIONS", "Cell", "Halving", "Zero", "Residual", "ResidualBlock", "pointwise"),
        *OPERATIONS,
        *(f"{name}{end}".upper() for names in NAMES.values() for name in names for end in ("", "_concat")),
    )
)
"""Names that exported files use."""
_SUFFIX = "Net"


def free_class_name(name: str) -> str:
    """`name`, with the suffix `Net` if the exported file uses it for something else."""
    return free_name(name, _USED_NAMES, _SUFFIX)


def verified_torch(
    architecture: Architecture, skeleton: Skeleton, origin: Origin, class_name: str
) -> VerifiedExport[str]:
    """The exported file of an architecture, whose network has been checked to have the same counts and logits.

    Raises:
        ExportMismatch: the counts or the logits differ.
        ValueError: the file uses the class's name for something else.
    """
    source = export_torch(architecture, skeleton, origin, class_name)
    with torch.random.fork_rng(devices=[]):
        exported = load_class(source, class_name)()
    counts = count(architecture, skeleton)
    check_equal("the size", count_built(exported, skeleton.image), counts)
    difference = _difference(exported, architecture, skeleton)
    check_difference("logits", difference, TOLERANCE)
    return VerifiedExport(source, class_name, difference, TOLERANCE, size_facts(counts))


def size_facts(counts: Counts) -> dict[str, int]:
    """The size of a network as facts of its export."""
    return {"parameters": counts.params, "multiply-accumulates": counts.macs}


def export_torch(architecture: Architecture, skeleton: Skeleton, origin: Origin, class_name: str) -> str:
    """The source of a file that defines the network of an architecture as `class_name`.

    Raises:
        ValueError: the file uses the class's name for something else.
    """
    check_free_name(class_name, _USED_NAMES, _SUFFIX)
    pair = architecture.inputs == 2
    counts = count(architecture, skeleton)
    size = [f"{name.capitalize()}: {number:,}" for name, number in size_facts(counts).items()]
    facts = "\n".join([*origin.lines(), *size])
    used = sorted({name for cell in architecture.cells for name, _ in cell.edges})
    parts = [
        f'"""The network of an architecture that Germline found.\n\n{facts}\n"""',
        "import torch\n" + ("import torch.nn.functional as F\n" if pair else "") + "from torch import nn",
        _cells_source(architecture),
        _HALVING if pair else "",
        _ZERO if "none" in used else "",
        _RESIDUAL if any(OPERATIONS[name].residual for name in used) else "",
        *[_operation_source(OPERATIONS[name]) for name in used],
        "OPERATIONS = {" + ", ".join(f'"{name}": {name}' for name in used) + "}",
        _PAIR_CELL if pair else _EDGE_CELL,
        (_PAIR_NETWORK if pair else _EDGE_NETWORK).substitute(
            class_name=class_name,
            channels=skeleton.channels,
            cells=skeleton.cells,
            classes=skeleton.classes,
            colours=skeleton.image[0],
            stem=STEM,
        ),
    ]
    return "\n\n\n".join(part.strip() for part in parts if part) + "\n"


def _difference(exported: nn.Module, architecture: Architecture, skeleton: Skeleton) -> float:
    """The largest relative difference of the logits with the same weights, in training and in evaluation."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(architecture, skeleton)
        images = torch.randn(4, *skeleton.image)
        weights, exported_weights = network.state_dict(), exported.state_dict()
        check_equal("the shapes of the tensors", _shapes(exported_weights), _shapes(weights))
        exported.load_state_dict(dict(zip(exported_weights, weights.values(), strict=True)))
        differences = []
        for training in (True, False):
            with torch.no_grad():
                expected, logits = network.train(training)(images), exported.train(training)(images)
            differences.append(difference_to_largest(logits, expected))
    return float(torch.tensor(differences).max())  # NaN if a difference is NaN


def _shapes(weights: Mapping[str, Tensor]) -> list[tuple[int, ...]]:
    return [tuple(value.shape) for value in weights.values()]


def _cells_source(architecture: Architecture) -> str:
    """Python source of a constant for each cell: for each node its edges, `(operation, node that the edge comes from)`.

    With two inputs there is also a constant with the nodes whose outputs the cell concatenates.
    """
    lines = ["# For each node of a cell, its edges: an operation, and the node it takes. The cell's inputs come first."]
    for name, cell in zip(NAMES[architecture.inputs], architecture.cells, strict=True):
        lines.append(f"{name.upper()} = (")
        for node in cell.nodes:
            edges = ", ".join(f'("{operation}", {source})' for operation, source in node)
            lines.append(f"    ({edges},),")
        lines.append(")")
        if architecture.inputs == 2:
            lines.append(f"{name.upper()}_CONCAT = {cell.concat!r}")
    return "\n".join(lines)


def _operation_source(operation: Operation) -> str:
    """The source of a function that builds an operation."""
    head = f"def {operation.name}(channels, stride):\n"
    if operation.zero:
        return f"{head}    return Zero(stride)"
    if not operation.layers:
        return f"{head}    return nn.Identity() if stride == 1 else Halving(channels, channels)"
    layers = "".join(f"        {_layer_source(layer)},\n" for layer in operation.layers)
    if operation.residual:
        return f"{head}    kind = Residual if stride == 1 else nn.Sequential\n    return kind(\n{layers}    )"
    return f"{head}    return nn.Sequential(\n{layers}    )"


def _layer_source(layer: Layer) -> str:
    """The source of a layer of an operation."""
    window = _window_source(layer)
    if layer.step == "conv":
        groups = ", groups=channels" if layer.depthwise else ""
        dilation = f", dilation={layer.dilation}" if layer.dilation > 1 else ""
        return f"nn.Conv2d(channels, channels, {window}{dilation}{groups}, bias=False)"
    if layer.step == "max":
        return f"nn.MaxPool2d({window})"
    if layer.step == "avg":
        return f"nn.AvgPool2d({window}, count_include_pad=False)"
    return "nn.BatchNorm2d(channels)" if layer.step == "norm" else "nn.ReLU()"


def _window_source(layer: Layer) -> str:
    """The source of the arguments kernel, stride and padding."""
    stride = "stride" if layer.strided else "1"
    if layer.axes == "both":
        return f"{layer.kernel}, {stride}, {layer.padding[0]}"
    strides = f"(1, {stride})" if layer.axes == "columns" else f"({stride}, 1)"
    return f"{layer.window}, {strides}, {layer.padding}"


_HALVING = '''
class Halving(nn.Module):
    """Half of the map in each direction, by two 1x1 convolutions of which the second looks a pixel further."""

    def __init__(self, channels, made):
        super().__init__()
        self.first = nn.Conv2d(channels, made // 2, 1, 2, bias=False)
        self.second = nn.Conv2d(channels, made - made // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(made)

    def forward(self, x):
        x = F.relu(x)
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.norm(torch.cat([self.first(x), self.second(shifted)], dim=1))
'''
_ZERO = """
class Zero(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])
"""
_RESIDUAL = """
class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)
"""
_PAIR_CELL = '''
def pointwise(channels, made):
    return nn.Sequential(nn.ReLU(), nn.Conv2d(channels, made, 1, bias=False), nn.BatchNorm2d(made))


class Cell(nn.Module):
    """Takes the outputs of the two cells before it; `halved` says that the last one halved its map."""

    def __init__(self, nodes, concat, before, last, channels, stride, halved):
        super().__init__()
        self.concat = concat
        self.sources = [[source for _, source in node] for node in nodes]
        self.channels = channels * len(concat)
        self.enter0 = Halving(before, channels) if halved else pointwise(before, channels)
        self.enter1 = pointwise(last, channels)
        self.edges = nn.ModuleList(
            OPERATIONS[name](channels, stride if source < 2 else 1) for node in nodes for name, source in node
        )

    def forward(self, before, last):
        maps = [self.enter0(before), self.enter1(last)]
        edges = iter(self.edges)
        for sources in self.sources:
            first, second = (next(edges)(maps[source]) for source in sources)
            maps.append(first + second)
        return torch.cat([maps[number] for number in self.concat], dim=1)
'''
_EDGE_CELL = '''
class Cell(nn.Module):
    """Every node adds what its edges make of all maps before it; the last one is the output."""

    def __init__(self, nodes, channels):
        super().__init__()
        self.sizes = [len(node) for node in nodes]
        self.edges = nn.ModuleList(OPERATIONS[name](channels, 1) for node in nodes for name, _ in node)

    def forward(self, x):
        maps = [x]
        edges = iter(self.edges)
        for size in self.sizes:
            maps.append(sum(next(edges)(taken) for taken in maps[:size]))
        return maps[-1]


class ResidualBlock(nn.Module):
    """Halves the map and doubles the channels."""

    def __init__(self, channels, made):
        super().__init__()
        self.main = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, made, 3, 2, 1, bias=False),
            nn.BatchNorm2d(made),
            nn.ReLU(),
            nn.Conv2d(made, made, 3, 1, 1, bias=False),
            nn.BatchNorm2d(made),
        )
        self.beside = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False), nn.Conv2d(channels, made, 1, bias=False)
        )

    def forward(self, x):
        return self.main(x) + self.beside(x)
'''
_PAIR_NETWORK = Template('''
class $class_name(nn.Module):
    """Logits [batch, classes] of images [batch, channels, height, width]."""

    def __init__(self, channels=$channels, cells=$cells, classes=$classes, image_channels=$colours):
        super().__init__()
        before = last = $stem * channels
        self.stem = nn.Sequential(nn.Conv2d(image_channels, last, 3, padding=1, bias=False), nn.BatchNorm2d(last))
        self.cells = nn.ModuleList()
        halved = False
        for number in range(cells):
            reduces = number in (cells // 3, 2 * cells // 3)
            channels *= 2 if reduces else 1
            nodes, concat = (REDUCE, REDUCE_CONCAT) if reduces else (NORMAL, NORMAL_CONCAT)
            cell = Cell(nodes, concat, before, last, channels, 2 if reduces else 1, halved)
            self.cells.append(cell)
            before, last, halved = last, cell.channels, reduces
        self.classifier = nn.Linear(last, classes)

    def forward(self, images):
        before = last = self.stem(images)
        for cell in self.cells:
            before, last = last, cell(before, last)
        return self.classifier(last.mean((2, 3)))
''')
_EDGE_NETWORK = Template('''
class $class_name(nn.Module):
    """Logits [batch, classes] of images [batch, channels, height, width]."""

    def __init__(self, channels=$channels, cells=$cells, classes=$classes, image_channels=$colours):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(image_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        self.cells = nn.ModuleList()
        for number in range(cells):
            if number in (cells // 3, 2 * cells // 3):
                self.cells.append(ResidualBlock(channels, 2 * channels))
                channels *= 2
            self.cells.append(Cell(CELL, channels))
        self.last = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images):
        x = self.stem(images)
        for cell in self.cells:
            x = cell(x)
        return self.classifier(self.last(x).mean((2, 3)))
''')
