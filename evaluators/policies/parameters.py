"""Parameters of policies, with those of parents at hand, so that a child costs one addition."""

from collections import OrderedDict

from germline.programs.policy.genome import Policy
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import initial, mutate


class ParentCache:
    """Keeps the parameters of the parents that were asked for last.

    Args:
        room: how many bytes of them.
    """

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self.kept: OrderedDict[Policy, Floats] = OrderedDict()

    def parameters(self, policy: Policy) -> Floats:
        """float32 of shape `[P]`, the caller's own; equal to a whole replay."""
        parent = policy.parent
        if parent is None:
            return initial(policy.network, policy.seed)
        found = self._parent(parent).copy()
        mutate(found, *policy.mutations[-1])
        return found

    def _parent(self, policy: Policy) -> Floats:
        if policy in self.kept:
            self.kept.move_to_end(policy)
            return self.kept[policy]
        known = len(policy.mutations)
        while known and Policy(policy.network, policy.seed, policy.mutations[:known]) not in self.kept:
            known -= 1
        start = Policy(policy.network, policy.seed, policy.mutations[:known])
        found = self.kept[start].copy() if start in self.kept else initial(policy.network, policy.seed)
        for seed, sigma in policy.mutations[known:]:
            mutate(found, seed, sigma)
        self.kept[policy] = found
        while len(self.kept) > 1 and len(self.kept) * found.nbytes > self.room:
            self.kept.popitem(last=False)
        return found
