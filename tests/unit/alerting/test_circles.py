"""The circles of a graph."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.circles import circles

GRAPHS = st.lists(st.lists(st.integers(0, 7), max_size=4), min_size=8, max_size=8)


@given(GRAPHS)
def test_two_share_a_circle_if_each_leads_to_the_other(graph: list[list[int]]) -> None:
    """As whoever walks the graph would say."""
    found = circles(dict(enumerate(graph)))
    reached = [_reached(graph, node) for node in range(8)]
    for one in range(8):
        for other in range(8):
            both = other in reached[one] and one in reached[other]
            assert both == (found[one] == found[other])


def _reached(graph: list[list[int]], node: int) -> set[int]:
    seen, ahead = set[int](), [node]
    while ahead:
        if (each := ahead.pop()) not in seen:
            seen.add(each)
            ahead += graph[each]
    return seen


def test_a_long_path() -> None:
    """It is as deep as it has nodes, and no function calls itself."""
    path = {one: [other] for one, other in pairwise(range(50_001))} | {50_000: []}
    assert 50_001 == len({*circles(path).values()})
    assert 1 == len({*circles(path | {50_000: [0]}).values()})
