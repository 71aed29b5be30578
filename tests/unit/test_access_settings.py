"""The settings of access: what they take, and what they say of what they do not."""

from __future__ import annotations

import pytest

from flyball import configuration
from flyball.configuration import KEY
from flyball.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "meant"), [("auto", "auto"), ("true", True), ("FALSE", False), (None, "auto")]
)
def test_access_is_required_as_said(tmp_path, text, meant):
    env = {} if text is None else {"FLYBALL_ACCESS__REQUIRED": text}
    settings = configuration.load(tmp_path, environ=env)
    assert settings.access.required is meant or settings.access.required == meant
    again = configuration.load(tmp_path, environ=settings.environment())
    assert again.access == settings.access


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("REQUIRED", "maybe", "'auto', true or false"),
        ("LIMITS", "http://cache", "redis://HOST"),
        ("TOKEN_LIFETIME", "2h", "1 hour"),
        ("TOKEN_LIFETIME", "0s", "greater than 0"),
        ("CLIENT_RATE", "-1", "greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(tmp_path, name, text, why):
    variable = f"FLYBALL_ACCESS__{name}"
    with pytest.raises(ConfigurationError, match=why) as refused:
        configuration.load(tmp_path, environ={variable: text})
    assert str(refused.value).count(variable) == 1


def test_a_key_in_the_environment_is_no_setting(tmp_path):
    assert configuration.load(tmp_path, environ={KEY: "fb_x"}) == configuration.load(
        tmp_path, environ={}
    )
