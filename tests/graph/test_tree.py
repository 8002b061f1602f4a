"""Nested arguments survive flattening."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from mathnet.graph.tree import flatten, map_leaves, unflatten

leaves = st.integers()
nests = st.recursive(
    leaves | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(nests)
def test_round_trip(tree):
    found, structure = flatten(tree)
    assert unflatten(structure, found) == tree


@given(nests)
def test_map_visits_every_leaf(tree):
    found, _ = flatten(tree)
    assert flatten(map_leaves(lambda x: x + 1, tree))[0] == [x + 1 for x in found]


class Pair(NamedTuple):
    a: int
    b: int


def test_named_tuples_and_structure_equality():
    leaves, structure = flatten({"p": Pair(1, 2)})
    rebuilt = unflatten(structure, leaves)
    assert isinstance(rebuilt["p"], Pair) and rebuilt["p"].b == 2
    assert flatten([1, 2])[1] == flatten([3, 4])[1]
    assert flatten([1, 2])[1] != flatten((1, 2))[1]
