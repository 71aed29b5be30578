"""Tensors hold what they say they hold."""

from __future__ import annotations

import pytest

from flyball.domain.tensors import Datatype, Tensor, TensorSpec, flattened
from flyball.errors import InvalidRequest


@pytest.mark.parametrize(
    ("datatype", "good", "bad"),
    [
        ("BOOL", [True, False], [0, 1, "true", None]),
        ("UINT8", [0, 255], [-1, 256, 1.5, True, "1"]),
        ("UINT64", [0, 2**64 - 1], [-1, 2**64]),
        ("INT8", [-128, 127], [-129, 128]),
        ("INT64", [-(2**63), 2**63 - 1], [2**63, -(2**63) - 1, 0.0]),
        ("FP16", [65504, -65504.0, 0.5], [65505, "x", True]),
        ("FP32", [3.4e38, 0], [3.5e38]),
        ("FP64", [1e300, 10**30], ["1", None, [1.0]]),
        ("BYTES", ["", "ünïcode"], [1, None, True, ["a"]]),
    ],
)
def test_elements_are_of_the_datatype(datatype, good, bad):
    kind = Datatype(datatype)
    Tensor(name="t", datatype=kind, shape=(len(good),), data=good)
    for value in bad:
        with pytest.raises(InvalidRequest, match="element 0 is no"):
            Tensor(name="t", datatype=kind, shape=(1,), data=[value])


@pytest.mark.parametrize("shape", [(3,), (2, 2), (0,), ()])
def test_there_are_as_many_elements_as_the_shape_says(shape):
    with pytest.raises(InvalidRequest, match="its shape"):
        Tensor(name="t", datatype=Datatype.INT8, shape=shape, data=[1, 2])


def test_a_size_is_never_below_nothing():
    with pytest.raises(InvalidRequest):
        Tensor(name="t", datatype=Datatype.INT8, shape=(-1, -2), data=[1, 2])


@pytest.mark.parametrize(
    ("data", "depth", "flat"),
    [
        ([1, 2, 3, 4], 2, [1, 2, 3, 4]),
        ([[1, 2], [3, 4]], 2, [1, 2, 3, 4]),
        ([[[1], [2]], [[3], [4]]], 3, [1, 2, 3, 4]),
        ([], 2, []),
        ([[], []], 2, []),
    ],
)
def test_nested_and_flat_data_are_the_same(data, depth, flat):
    assert flattened(data, depth) == flat


def test_half_nested_data_is_refused():
    with pytest.raises(InvalidRequest, match="nest all of it or none"):
        flattened([1, [2]], 2)


def test_data_nested_deeper_than_the_shape_is_no_element():
    data = flattened([[1, 2]], 1)
    with pytest.raises(InvalidRequest):
        Tensor(name="t", datatype=Datatype.INT8, shape=(1,), data=data)


def test_a_model_takes_only_its_own_types_and_shapes():
    spec = TensorSpec(name="x", datatype=Datatype.FP32, shape=(-1, 2))
    spec.check(Tensor(name="x", datatype=Datatype.FP32, shape=(1, 2), data=[1, 2]))
    for shape, datatype in (
        ((2,), Datatype.FP32),
        ((2, 1), Datatype.FP32),
        ((1, 2), Datatype.FP64),
    ):
        with pytest.raises(InvalidRequest, match="send"):
            spec.check(Tensor(name="x", datatype=datatype, shape=shape, data=[1, 2]))


@pytest.mark.parametrize("shape", [(2**62,) * 100_000, (2**31, 0), (1,) * 17])
def test_a_shape_of_very_many_or_very_large_sizes_is_refused_at_once(shape):
    """Their product has millions of digits, and would take minutes."""
    with pytest.raises(InvalidRequest, match="at most 16 sizes"):
        Tensor(name="t", datatype=Datatype.INT8, shape=shape, data=[1])
