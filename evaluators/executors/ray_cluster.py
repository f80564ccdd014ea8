"""The Ray that this process is connected to: watched while it is needed, and disconnected from in time."""

import atexit
import threading
from contextlib import suppress

import ray

from germline.evaluators.executors.cluster_watch import ClusterWatch
from germline.evaluators.executors.executor import ClusterLost
from germline.evaluators.executors.ray_guard import RayGuard

_LEAVE_SECONDS = 20.0
_LEAVE_LOST_SECONDS = 1.0
"""How long disconnecting may take: from servers that are there, and from servers that are gone."""


class RayCluster:
    """The servers of Ray that this process needs: the GCS of the cluster, and the raylet of this machine."""

    def __init__(self) -> None:
        context = ray.get_runtime_context()
        node = next(node for node in ray.nodes() if node["NodeID"] == context.get_node_id())
        host, _, port = context.gcs_address.rpartition(":")
        self._watch = ClusterWatch(
            {
                "its GCS": (host.strip("[]"), int(port)),
                "its raylet on this machine": (node["NodeManagerAddress"], node["NodeManagerPort"]),
            }
        )

    def check(self) -> None:
        """Looks at the servers now. Raises as `raise_if_lost`."""
        self._watch.check()
        self.raise_if_lost()

    def raise_if_lost(self) -> None:
        """Does nothing while the servers are there.

        Raises:
            ClusterLost: one of them is gone.
        """
        if self._watch.problem is not None:
            raise ClusterLost(f"Ray does not work any more: {self._watch.problem}")

    def unwatch(self) -> bool:
        """Stops watching the servers; returns True if all of them are there."""
        self._watch.stop()
        return self._watch.problem is None


def disconnect(intact: bool, guard: RayGuard | None) -> None:
    """Disconnects this process from Ray; a Ray that this process has started ends. Takes seconds, and raises nothing.

    Args:
        intact: whether the servers of Ray are there. Without them disconnecting hangs for a while.
        guard: the guard of a Ray that this process has started; None if it has joined a Ray.
    """
    # No daemon: a process that ends within Ray's own code crashes. The command line does not wait for it.
    thread = threading.Thread(target=_shut_down)
    thread.start()
    thread.join(_LEAVE_SECONDS if intact else _LEAVE_LOST_SECONDS)
    if thread.is_alive():
        atexit.unregister(ray.shutdown)  # it would hang again at the end of this process
    if guard is not None:
        guard.end()


def _shut_down() -> None:
    with suppress(Exception):
        ray.shutdown()
