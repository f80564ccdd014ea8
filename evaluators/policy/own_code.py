"""Where the module of a task stands, for exported files that import it."""

import inspect
import sys
from keyword import iskeyword
from pathlib import Path

from torch import nn

from germline.evaluators.optimizer.modules.declared import is_plain_function
from germline.evaluators.policy.networks.own_module import fresh_module
from germline.evaluators.policy.networks.own_trial import own_network
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.task_files import MODULE_PREFIX
from germline.programs.policy.own_export import OwnCode


def own_code(task: type[PolicyTask], stem: str) -> OwnCode:
    """What an exported file has to know of the module of a task.

    Args:
        task: a task with a network of its own.
        stem: the name of the exported file without its suffix, under which no other module can be imported.

    Raises:
        InvalidTask: the module cannot be the network of policies.
    """
    network = own_network(task)
    declaration = inspect.getattr_static(task, "network")
    # Of a class the file needs nothing else; else the task is asked, for which germline has to be installed.
    owner = declaration if inspect.isclass(declaration) and issubclass(declaration, nn.Module) else task
    of_task = f"{owner.__name__}.network()" if is_plain_function(declaration) else f"{owner.__name__}().network()"
    return OwnCode(
        # Of another seed than the search's: nothing but the weights may decide.
        build=lambda: fresh_module(task, seed=1),
        module=_module_name(owner, stem),
        name=owner.__name__,
        expression=f"{owner.__name__}()" if owner is declaration else of_task,
        recurrent=network.recurrent,
        nested=network.nested,
        double_default=network.double_default,
    )


def _module_name(owner: type, stem: str) -> str | None:
    """The module from which a class can be imported: of a class in the file of a task, the stem of the file. None: it
    cannot be imported."""
    home = sys.modules.get(owner.__module__)
    file = getattr(home, "__file__", None)
    if file is None or getattr(home, owner.__qualname__, None) is not owner:
        return None
    name = Path(file).stem if owner.__module__.startswith(MODULE_PREFIX) else owner.__module__
    usable = all(part.isidentifier() and not iskeyword(part) for part in name.split("."))
    return name if usable and name not in (stem, "__main__") else None
