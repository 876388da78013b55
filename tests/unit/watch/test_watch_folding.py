"""Objects that share what is the same in them, and are still what the server sent."""

from __future__ import annotations

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from seatrial.watch.folding import folded

OLD = json.loads(
    '{"spec": {"node": "n1", "ports": [{"port": 1}, {"port": 2}]}, "status": {"phase": "Pending"}}'
)

values = st.recursive(
    st.none() | st.text(max_size=3) | st.integers(2, 5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


def changed(**status):
    new = copy.deepcopy(OLD)
    new["status"] = status
    return new


def test_what_has_not_changed_is_the_very_same_object():
    new = changed(phase="Running")
    kept = folded(new, OLD)
    assert kept == new
    assert kept["spec"] is OLD["spec"]
    assert kept["status"] is not OLD["status"]


def test_an_object_that_has_not_changed_at_all_is_the_old_one():
    assert folded(copy.deepcopy(OLD), OLD) is OLD


def test_parts_of_a_list_are_shared_by_their_place():
    new = copy.deepcopy(OLD)
    new["spec"]["ports"] += [{"port": 3}]
    kept = folded(new, OLD)
    assert kept == new
    assert kept["spec"]["ports"][0] is OLD["spec"]["ports"][0]


def test_neither_of_the_two_is_changed():
    before, new = copy.deepcopy(OLD), changed(phase="Running", extra=[1])
    given_new = copy.deepcopy(new)
    folded(new, OLD)
    assert before == OLD
    assert new == given_new


def test_names_are_there_once_even_with_nothing_to_share():
    one, two = (folded(json.loads('{"aFieldName": {"another": 1}}'), None) for _ in range(2))
    assert one == two
    assert next(iter(one)) is next(iter(two))
    assert next(iter(one["aFieldName"])) is next(iter(two["aFieldName"]))


def test_the_order_of_fields_stays():
    kept = folded({"b": 1, "a": 2}, {"a": 2, "b": 3})
    assert list(kept) == ["b", "a"]


@given(values, values)
def test_it_is_always_equal_to_what_was_received(new, old):
    assert folded(copy.deepcopy(new), old) == new
