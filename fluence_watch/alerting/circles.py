"""The circles of a directed graph: its strongly connected components. Pure. Source: Kosaraju and Sharir."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def circles(edges: Mapping[Node, Sequence[Node]]) -> Mapping[Node, int]:
    """The number of the component of each node. Two nodes share one if each leads to the other.

    `edges` has every node, and where it leads.
    """
    back: dict[Node, list[Node]] = {node: [] for node in edges}
    for node, ends in edges.items():
        for end in ends:
            back[end].append(node)
    found: dict[Node, int] = {}
    for number, first in enumerate(reversed(list(_finished(edges)))):
        ahead = [first]
        while ahead:
            node = ahead.pop()
            if node not in found:
                found[node] = number
                ahead += back[node]
    return found


def _finished(edges: Mapping[Node, Sequence[Node]]) -> Iterator[Node]:
    """The nodes, each after all that are first reached from it."""
    seen = set[Node]()
    for first in edges:
        if first in seen:
            continue
        seen.add(first)
        path = [(first, iter(edges[first]))]
        while path:
            node, ends = path[-1]
            end = next((each for each in ends if each not in seen), None)
            if end is None:
                yield node
                path.pop()
            else:
                seen.add(end)
                path.append((end, iter(edges[end])))
