"""Parameters of policies by way of a cache of their parents, so that a child costs one addition of noise."""

from collections import OrderedDict

from germline.programs.policy.genome import Policy
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import initial_parameters, mutate, replay


class ParentCache:
    """Keeps the parameters of the parents that were used last.

    Args:
        max_bytes: size of the kept parameters; those of at least one parent are kept.
    """

    def __init__(self, max_bytes: int = 1 << 29) -> None:
        self.max_bytes = max_bytes
        self.parameters: OrderedDict[Policy, Floats] = OrderedDict()

    def write(self, policy: Policy, out: Floats) -> None:
        """Writes the parameters of a policy to `out`, float32 `[P]`; they equal those of `replay`."""
        parent = policy.parent
        if parent is None:
            out[:] = initial_parameters(policy.network, policy.seed)
        else:
            out[:] = self._parameters_of(parent)
            mutate(out, *policy.mutations[-1])

    def _parameters_of(self, policy: Policy) -> Floats:
        """Parameters of a parent: kept, or one mutation from its own parent's if those are kept, or replayed."""
        if policy in self.parameters:
            self.parameters.move_to_end(policy)
            return self.parameters[policy]
        parent = policy.parent
        if parent is not None and parent in self.parameters:
            parameters = self.parameters[parent].copy()
            mutate(parameters, *policy.mutations[-1])
        else:
            parameters = replay(policy)
        self.parameters[policy] = parameters
        while len(self.parameters) > 1 and len(self.parameters) * parameters.nbytes > self.max_bytes:
            self.parameters.popitem(last=False)
        return parameters
