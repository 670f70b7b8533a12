# SPDX-License-Identifier: GPL-3.0-or-later
"""A Ray cluster of two nodes on this machine, until stdin ends; a line on stdin fells the second node.

Prints the cluster's address, then "felled".
"""

import sys

from ray.cluster_utils import Cluster

STORE = 80 << 20  # bytes of shared memory for each node, the least that Ray allows

cluster = Cluster(
    initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
)
second = cluster.add_node(num_cpus=1, object_store_memory=STORE)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
if sys.stdin.readline():
    cluster.remove_node(second, allow_graceful=False)
    print("felled", flush=True)
    sys.stdin.read()
cluster.shutdown()
