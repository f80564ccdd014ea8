"""Scenarios of the Ray that a search starts on this machine, beside those of others: row H2 of docs/reliability.md."""

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import psutil
from nodes import nodes
from processes import tree
from result import Result
from sessions import SEED, resumed, session, straight, wait_for_births

STRANGER = """
import sys
from ray._raylet import GcsClient
try:
    GcsClient(address=sys.argv[1]).get_all_node_info(timeout=5)
except Exception as error:
    sys.exit(type(error).__name__)
"""
"""A program that asks a GCS server for its nodes, without the token of the cluster."""


def listening(count: int, folder: Path) -> Result:
    """Searches on a local Ray, without other Rays, with left-overs of another, and beside a live cluster.

    Each has to finish like an inline run, to listen on loopback only, and to refuse a stranger on this machine.
    """
    began, failures, hosts = time.monotonic(), [], set()
    expected, _ = straight(folder, "optimizer")
    for number, (name, others) in enumerate(itertools.islice(itertools.cycle(OTHERS.items()), count)):
        attempt = replace(
            session(folder, "optimizer", f"local-{number}", SEED), workers=2, executor="ray", command=True
        )
        with tempfile.TemporaryDirectory(prefix="home") as home, others(home) as environment:
            process = attempt.start(HOME=home, **environment)
            wait_for_births(attempt, process, 1)
            members = tree(process.pid)
            addresses = {address for member in members for address in _listening(member)}
            problems = [f"listens on {host}:{port}" for host, port in addresses if not ip_address(host).is_loopback]
            hosts |= {host for host, _ in addresses}
            servers = [member for member in members if member.name() == "gcs_server"]
            problems += [] if len(servers) == 1 else [f"{len(servers)} GCS servers"]
            for host, port in itertools.chain.from_iterable(map(_listening, servers)):
                problems += _stranger(f"{host}:{port}")
            errors = process.communicate()[1]
            problems += [f"wrote {path} at home" for path in Path(home).glob(".ray*")]
        problems += [f"status {process.returncode}: {errors[-300:]}"] if process.returncode else []
        failures += [f"{name}: {problem}" for problem in problems + resumed(attempt, expected)]
    what = f"a search on a local Ray {', '.join(list(OTHERS)[:count])}: it listens on loopback, demands its token"
    return Result(
        "H2", what, count, tuple(failures), time.monotonic() - began, f"listens on {', '.join(sorted(hosts))}"
    )


@contextmanager
def _left_overs(home: str) -> Iterator[Mapping[str, str]]:
    """The address of a cluster that is gone, in the environment and in Ray's file, and no authentication."""
    folder = Path(home, "t")
    (folder / "ray").mkdir(parents=True)
    (folder / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
    yield {"RAY_ADDRESS": "127.0.0.1:1", "RAY_REDIS_ADDRESS": "127.0.0.1:1", "RAY_AUTH_MODE": "disabled"} | {
        "RAY_TMPDIR": str(folder)
    }


@contextmanager
def _live_cluster(home: str) -> Iterator[Mapping[str, str]]:
    """A cluster that runs on this machine, and is named by the environment."""
    with nodes(1) as cluster:
        yield {"RAY_ADDRESS": cluster.address}


OTHERS = {
    "alone": lambda home: nullcontext({}),
    "with left-overs of another Ray": _left_overs,
    "beside a live cluster": _live_cluster,
}
"""Other Rays on the machine: by name, a context manager that returns variables for the environment of the search."""


def _listening(process: psutil.Process) -> list[tuple[str, int]]:
    try:
        connections = process.net_connections(kind="inet")
    except psutil.Error:
        return []
    return [
        (each.laddr.ip.removeprefix("::ffff:"), each.laddr.port)
        for each in connections
        if each.status == psutil.CONN_LISTEN
    ]


def _stranger(address: str) -> list[str]:
    """A line if a process without the token can read from a GCS server."""
    done = subprocess.run([sys.executable, "-c", STRANGER, address], capture_output=True, text=True, timeout=60)
    return [] if done.stderr.endswith("AuthenticationError\n") else [f"a stranger at {address}: {done.stderr[-200:]}"]
