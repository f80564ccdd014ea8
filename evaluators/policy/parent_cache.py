"""Parameters of policies, with those of parents at hand, so that a child costs one addition."""

from collections import OrderedDict

from germline.programs.policy.genome import Policy
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import initial, mutate, replay


class ParentCache:
    """Keeps the parameters of the parents that were asked for last.

    Args:
        room: how many bytes of them.
    """

    def __init__(self, room: int = 1 << 29) -> None:
        self.room = room
        self.kept: OrderedDict[Policy, Floats] = OrderedDict()

    def write(self, policy: Policy, found: Floats) -> None:
        """The parameters of a policy into float32 `[P]`; equal to a whole replay."""
        parent = policy.parent
        if parent is None:
            found[:] = initial(policy.network, policy.seed)
        else:
            found[:] = self._parent(parent)
            mutate(found, *policy.mutations[-1])

    def _parent(self, policy: Policy) -> Floats:
        """From its own parent, if that is known, as it is in a search; from nothing otherwise."""
        if policy in self.kept:
            self.kept.move_to_end(policy)
            return self.kept[policy]
        parent = policy.parent
        if parent is not None and parent in self.kept:
            found = self.kept[parent].copy()
            mutate(found, *policy.mutations[-1])
        else:
            found = replay(policy)
        self.kept[policy] = found
        while len(self.kept) > 1 and len(self.kept) * found.nbytes > self.room:
            self.kept.popitem(last=False)
        return found
