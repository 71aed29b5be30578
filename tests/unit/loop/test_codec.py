"""What workflows store is JSON, and an error comes back as what it was."""

from __future__ import annotations

import json

import pytest

from flyball.errors import DataQualityError, FlyballError
from flyball.loop.codec import JsonCodec, WorkflowFailed


@pytest.fixture
def codec():
    return JsonCodec()


class TestTheWorkflowsCodec:
    @pytest.mark.parametrize("value", [None, 1, "ü", [1, {"a": None}], {"args": [1], "kwargs": {}}])
    def test_gives_values_back(self, codec, value):
        assert codec.deserialize(codec.serialize(value)) == value

    def test_writes_json(self, codec):
        assert json.loads(codec.serialize({"a": [1, 2]})) == {"a": [1, 2]}

    def test_gives_our_errors_back_as_what_they_were(self, codec):
        error = codec.deserialize(codec.serialize(DataQualityError("3 rows have no user")))
        assert type(error) is DataQualityError
        assert str(error) == "3 rows have no user"

    @pytest.mark.parametrize("error", [KeyError("games"), SystemExit("stop")])
    def test_gives_others_back_as_ours_with_their_name(self, codec, error):
        back = codec.deserialize(codec.serialize(error))
        assert type(back) is WorkflowFailed
        assert isinstance(back, FlyballError)
        assert type(error).__name__ in str(back)

    def test_never_takes_a_name_of_something_else_in_the_errors_module(self, codec):
        text = json.dumps({"!error": "ClassVar", "message": "x"})
        assert type(codec.deserialize(text)) is WorkflowFailed

    def test_refuses_what_is_not_plain_data(self, codec):
        with pytest.raises(TypeError, match="hand on JSON types"):
            codec.serialize({"a": {1, 2}})

    def test_never_reads_a_pickle(self, codec):
        with pytest.raises(ValueError, match="Expecting value"):
            codec.deserialize("gASVBQAAAAAAAABLAS4=")
