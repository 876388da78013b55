"""Merge patches: what is different, and putting it in again."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from seatrial.core.merging import difference, merged

SCALARS = st.integers(2, 3) | st.text(max_size=2)
VALUES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=2),
    lambda inner: (
        st.dictionaries(st.sampled_from("abcd"), inner, max_size=4)
        | st.lists(st.dictionaries(st.sampled_from("ab"), inner, max_size=2), max_size=2)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@given(OBJECTS, OBJECTS)
def test_a_difference_makes_the_new_of_the_old(old, new):
    before = copy.deepcopy(old)
    result = merged(old, difference(old, new))
    assert old == before
    # the one thing that it cannot tell: an object where a list was
    assert result == new or _has_object_for_list(old, new)


def _has_object_for_list(old, new):
    if isinstance(old, list) and isinstance(new, dict):
        return True
    if isinstance(old, dict) and isinstance(new, dict):
        return any(_has_object_for_list(old[key], new[key]) for key in old.keys() & new.keys())
    if isinstance(old, list) and isinstance(new, list):
        return any(_has_object_for_list(*pair) for pair in zip(old, new, strict=False))
    return False


@given(OBJECTS)
def test_what_is_the_same_makes_no_difference(obj):
    assert difference(obj, copy.deepcopy(obj)) == {}


def test_only_what_changed_is_in_a_difference():
    old = {"a": {"b": 1, "c": 2}, "gone": {"x": 1}, "list": [1, 2]}
    new = {"a": {"b": 1, "c": 3}, "list": [1], "new": {"y": None}}
    assert difference(old, new) == {"gone": None, "a": {"c": 3}, "list": [1], "new": {"y": None}}


def test_of_a_list_of_objects_only_the_items_that_changed():
    old = {"conditions": [{"type": "Ready", "status": "False"}, {"type": "Scheduled"}]}
    new = {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Scheduled"}]}
    assert difference(old, new) == {"conditions": {"0": {"status": "True"}}}
    assert merged(old, difference(old, new)) == new


def test_a_list_that_grows_is_told_whole():
    assert difference({"a": [{"b": 1}]}, {"a": [{"b": 1}, {}]}) == {"a": [{"b": 1}, {}]}


def test_a_null_cannot_be_told_which_a_caller_has_to_see():
    new = {"a": None}
    assert merged({}, difference({}, new)) != new
