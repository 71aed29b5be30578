"""Where two artifacts differ, told by file, byte, array and value."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from flyball.errors import ArtifactCorrupt
from flyball.steps.artifact_difference import content_digest, differences, standard_error
from flyball.storage.blobs import FileBlobs


@pytest.fixture
def both(tmp_path):
    """Two directories with the same files."""
    for name in ("one", "other"):
        folder = tmp_path / name / "model"
        folder.mkdir(parents=True)
        np.save(folder / "weights.npy", np.arange(6.0).reshape(2, 3))
        save_file({"a": np.ones(3, np.float32), "b": np.zeros(2)}, folder / "net.safetensors")
        (folder.parent / "manifest.json").write_text("{}")
        (folder.parent / "about.json").write_text('{"rows": 10}')
    return tmp_path / "one", tmp_path / "other"


def test_equal_directories_do_not_differ_and_have_the_digest_that_they_are_stored_by(
    both, tmp_path
):
    assert differences(*both) == ()
    assert content_digest(both[0]) == content_digest(both[1])
    assert content_digest(both[0]) == FileBlobs(tmp_path / "blobs").put(both[0])


def test_a_value_that_differs_is_counted_and_its_distance_told(both):
    np.save(both[1] / "model/weights.npy", np.array([[0.0, 1.0, 2.5], [3.0, 4.0, 4.0]]))
    [pair] = differences(*both)
    assert pair.path == "model/weights.npy"
    [array] = pair.arrays
    assert (array.values, array.differing, array.largest) == (6, 2, 1.0)
    assert pair.told() == "model/weights.npy: 2 of 6 values differ, by at most 1"


def test_not_a_number_is_equal_to_itself_and_to_nothing_else(both):
    np.save(both[0] / "model/weights.npy", np.array([np.nan, np.nan, 1.0]))
    np.save(both[1] / "model/weights.npy", np.array([np.nan, 2.0, 1.0]))
    [array] = differences(*both)[0].arrays
    assert array.differing == 1


def test_an_array_of_another_shape_or_type_is_told_as_such(both):
    np.save(both[1] / "model/weights.npy", np.arange(6, dtype=np.float32))
    [pair] = differences(*both)
    assert pair.told() == ("model/weights.npy: float32 of shape (6,) instead of float64 of (2, 3)")


def test_a_tensor_among_several_is_named(both):
    save_file(
        {"a": np.ones(3, np.float32), "b": np.array([0.0, 0.5])}, both[1] / "model/net.safetensors"
    )
    [pair] = differences(*both)
    assert pair.told() == "model/net.safetensors[b]: 1 of 2 values differ, by at most 0.5"


def test_a_file_without_arrays_is_told_by_its_bytes(both):
    (both[1] / "about.json").write_text('{"rows": 12345}')
    [pair] = differences(*both)
    assert pair.told() == "about.json: 5 bytes of 12 differ"


def test_a_missing_file_and_a_new_one_are_told(both):
    (both[0] / "extra.txt").write_text("x")
    (both[1] / "more.txt").write_text("xy")
    assert [pair.told() for pair in differences(*both)] == [
        "extra.txt was not made again",
        "more.txt was not there",
    ]


def test_the_manifest_comes_last_because_it_only_tells_of_the_others(both):
    for name in ("manifest.json", "model/weights.npy"):
        (both[1] / name).write_bytes((both[1] / name).read_bytes() + b" ")
    assert [pair.path for pair in differences(*both)] == ["model/weights.npy", "manifest.json"]


def test_texts_have_no_distance(both):
    for folder, names in zip(both, (["ann", "bob"], ["ann", "eve"]), strict=True):
        np.save(folder / "users.npy", np.array(names))
    [pair] = differences(*both)
    assert pair.told() == "users.npy: 1 of 2 values differ"


def test_an_array_that_cannot_be_read_is_damage(both):
    (both[1] / "model/weights.npy").write_bytes(b"nothing")
    with pytest.raises(ArtifactCorrupt, match=r"weights\.npy"):
        differences(*both)


def test_large_arrays_are_compared_to_their_end(both):
    wide = np.zeros(3_000_000, dtype=np.float32)
    np.save(both[0] / "model/weights.npy", wide)
    wide[[0, 1_500_000, -1]] = 2.0
    np.save(both[1] / "model/weights.npy", wide)
    [array] = differences(*both)[0].arrays
    assert (array.values, array.differing, array.largest) == (3_000_000, 3, 2.0)


def test_a_standard_error_is_that_of_the_mean():
    assert standard_error(np.array([0.0, 1.0, 2.0, 3.0])) == pytest.approx(1.29099445 / 2)
    assert standard_error(np.array([1.0])) == 0.0
