"""A cache of parents' parameters, so that the parameters of a child cost a single addition of noise."""

from collections import OrderedDict

from germline.programs.policy.genome import Policy
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import initial_parameters, mutate, replay


class ParentCache:
    """Parameters of the most recently used parents.

    Args:
        max_bytes: largest size of all cached parameters; the last parent is cached even if it is larger.
    """

    def __init__(self, max_bytes: int = 1 << 29) -> None:
        self.max_bytes = max_bytes
        self.parameters: OrderedDict[Policy, Floats] = OrderedDict()

    def write(self, policy: Policy, out: Floats) -> None:
        """Writes the parameters of a policy, the same as `replay(policy)`, to `out`, float32 `[P]`."""
        parent = policy.parent
        if parent is None:
            out[:] = initial_parameters(policy.network, policy.seed)
        else:
            out[:] = self._parameters_of(parent)
            mutate(out, *policy.mutations[-1])

    def _parameters_of(self, policy: Policy) -> Floats:
        """Parameters of a parent: from the cache; or from its own parent in the cache, mutated; or replayed."""
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
