"""Ray's processes: started on this machine, or found at an address; watched while they are needed; left in time.

A local Ray belongs to this search alone. It listens on the loopback interface only, every connection has to present a
token that is drawn at random for it, and no other Ray of this machine is looked at, whatever the environment says.
"""

import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import ray

from germline.evaluators.executors.cluster_watch import ClusterWatch
from germline.evaluators.executors.executor import Stopped

THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Environment of the workers: a torch thread each. Two on two busy cores were up to 50 times slower."""
_RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray starts its workers with the niceness 15: beside any other process they would hardly run.
    "RAY_worker_niceness": "0",
    # Processes that a task has started end with its worker, also if that crashed.
    "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper": "true",
    # What a worker prints goes to a file of Ray's; a task that prints without end would fill the disk.
    "RAY_ROTATION_MAX_BYTES": str(8 * 2**20),
    "RAY_ROTATION_BACKUP_COUNT": "1",
}
"""Environment of a local Ray."""
_OTHER_RAYS = (
    "RAY_ADDRESS",
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN_PATH",
    "RAY_GCS_SERVER_PORT",
    "RAY_JOB_CONFIG_JSON_ENV_VAR",
    "RAY_REDIS_ADDRESS",
    "RAY_RUNTIME_ENV_HOOK",
)
"""Variables of the environment that would make a local Ray a part of another, or like another."""
CONNECT_SECONDS = 30.0
"""How long a cluster may take to answer."""
_SHUTDOWN_SECONDS = 5.0
"""How long leaving Ray may take; it can hang if a part of Ray is gone."""


class NoCluster(RuntimeError):
    """Ray could not be started or reached."""
