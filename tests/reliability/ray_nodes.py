"""A Ray cluster on the loopback interface: a head without cores, and nodes with a core each.

usage: ray_nodes.py NODES. Prints a line of JSON, the address of the cluster and the process ids of the nodes' raylets,
and ends when its standard input does.
"""

import json
import os
import sys

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray reads it when it is imported: nodes listen on loopback

from ray.cluster_utils import Cluster


def main() -> None:
    head = {"num_cpus": 0, "node_ip_address": "127.0.0.1", "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1") for _ in range(int(sys.argv[1]))]
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
