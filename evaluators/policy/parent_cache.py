"""A cache of parents' parameters, so that the parameters of a child cost a single addition of noise."""

from collections import OrderedDict

from germline.programs.policy.evolution import Generation
from germline.programs.policy.genome import Policy
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import initial_parameters, trajectory_of
from germline.programs.policy.trajectory import Trajectory

NEAR = 32
"""How many generations back a cached ancestor is looked for; a worker may have had no part in some of them."""


class ParentCache:
    """Parameters of the most recently used parents; of an evolution strategy, of the latest means.

    Args:
        max_bytes: largest size of all cached parameters; the last parent is cached even if it is larger.
    """

    def __init__(self, max_bytes: int = 1 << 29) -> None:
        self.max_bytes = max_bytes
        self.trajectories: OrderedDict[Policy, Trajectory] = OrderedDict()

    def write(self, policy: Policy, out: Floats) -> None:
        """Writes the parameters of a policy, the same as `replay(policy)`, to `out`, float32 `[P]`."""
        parent = policy.parent
        if parent is None:
            out[:] = initial_parameters(policy.network, policy.seed)
        elif isinstance(policy.mutations[-1], Generation):  # a mean, which members are children of
            out[:] = self._trajectory_of(policy).parameters
        else:
            step = policy.mutations[-1]
            self._trajectory_of(parent).write_child(policy.network, policy.evolution, step, out)

    def _trajectory_of(self, policy: Policy) -> Trajectory:
        """The trajectory to a parent: from the cache; or from an ancestor in the cache, with further steps; or
        replayed."""
        if policy in self.trajectories:
            self.trajectories.move_to_end(policy)
            return self.trajectories[policy]
        trajectory = self._from_ancestor(policy) or trajectory_of(policy)
        self.trajectories[policy] = trajectory
        while len(self.trajectories) > 1 and len(self.trajectories) * trajectory.nbytes > self.max_bytes:
            self.trajectories.popitem(last=False)
        return trajectory

    def _from_ancestor(self, policy: Policy) -> Trajectory | None:
        """The trajectory of the nearest ancestor in the cache, continued; None if none is near."""
        ancestor = policy.parent
        for back in range(1, NEAR + 1):
            if ancestor is None:
                return None
            if ancestor in self.trajectories:
                trajectory = self.trajectories[ancestor]
                for step in policy.mutations[len(policy.mutations) - back :]:
                    trajectory = trajectory.after(policy.network, policy.evolution, step)
                return trajectory
            ancestor = ancestor.parent
        return None
