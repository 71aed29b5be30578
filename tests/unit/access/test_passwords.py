"""Passwords: argon2id, the same work for no account, and the first guesses refused."""

from __future__ import annotations

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from flyball.access import passwords
from flyball.access.passwords import NOBODY, hashed, refuse_weak, verified
from flyball.errors import EnvironmentFailed, InvalidRequest
from flyball.testing.access import PASSWORD, a_principal


class TestAHash:
    def test_is_argon2id_as_rfc_9106_recommends_on_one_lane(self):
        found = extract_parameters(hashed(PASSWORD))
        assert found.type is Type.ID
        assert (found.memory_cost, found.time_cost, found.parallelism) == (64 * 1024, 3, 1)
        assert (found.salt_len, found.hash_len) == (16, 32)

    def test_of_one_password_differs_each_time(self):
        assert hashed(PASSWORD) != hashed(PASSWORD)

    def test_of_nobody_costs_what_that_of_somebody_costs(self):
        """So that the time of a refusal does not tell which accounts there are."""
        assert extract_parameters(NOBODY) == extract_parameters(a_principal().password)

    @pytest.mark.parametrize("text", ["", "x" * 1025, "half a pair \ud800"])
    def test_of_what_is_no_password_is_refused(self, text):
        with pytest.raises(InvalidRequest):
            hashed(text)


class TestAPassword:
    def test_is_known_again(self):
        assert verified(a_principal().password, PASSWORD)

    def test_is_the_same_however_its_accents_are_spelled(self):
        assert verified(hashed("cafe\u0301 au lait, deux"), "caf\u00e9 au lait, deux")

    @pytest.mark.parametrize(
        "text",
        ["", PASSWORD + " ", PASSWORD.title(), "x" * 100_000, "\0", "\ud800", PASSWORD + "\0"],
        ids=["empty", "longer", "case", "huge", "nul", "surrogate", "nul after"],
    )
    def test_that_is_wrong_is_refused_and_raises_nothing(self, text):
        assert verified(a_principal().password, text) is False

    @pytest.mark.parametrize("stored", [None, "", "nonsense"])
    def test_of_no_account_or_a_damaged_one_is_refused(self, stored):
        assert verified(stored, PASSWORD) is False

    def test_whose_hash_was_cut_off_is_not_called_wrong(self):
        with pytest.raises(EnvironmentFailed, match="another password"):
            verified(a_principal().password[:20], PASSWORD)

    @pytest.mark.parametrize("text", [PASSWORD, "", "x" * 5000])
    def test_of_no_account_is_checked_against_a_hash_all_the_same(self, monkeypatch, text):
        """The library is asked to do the whole work, with the same parameters, exactly once."""
        asked = []

        class Counting:
            def verify(self, stored: str, given: bytes) -> bool:
                asked.append(stored)
                return True  # even if it were to fit

        monkeypatch.setattr(passwords, "_HASHER", Counting())
        assert verified(None, text) is False
        assert asked == [NOBODY]


class TestAWeakPassword:
    @pytest.mark.parametrize(
        "text",
        [
            "elevenchars",
            "aaaaaaaaaaaaaaaa",
            "abababababab",
            "123456789012",
            "210987654321",
            "qwertyuiopas",
            "password1234",
            "Password!2024",
            "PasswordPassword",
            "welcome-admin-1",
            "this is my password",
            "ada12345678",
            "ada-ada-ada-1",
            "x" * 1025,
        ],
    )
    def test_is_refused(self, text):
        with pytest.raises(InvalidRequest, match="password"):
            refuse_weak(text, name="ada")

    @pytest.mark.parametrize(
        "text",
        [
            PASSWORD,
            "kbPq-7xZ2-mmLw",
            "204188374651",
            "été à la plage",
            "五十音順五十音順カタカナを見る",
        ],
    )
    def test_is_not_what_takes_long_to_guess(self, text):
        refuse_weak(text, name="ada")

    def test_of_a_thousand_characters_is_judged_at_once(self):
        """No pattern that takes exponential time."""
        refuse_weak("changeme" * 127 + "zq!", name="ada")

    def test_is_not_repeated_in_the_refusal(self):
        with pytest.raises(InvalidRequest) as refused:
            refuse_weak("password1234")
        assert "1234" not in str(refused.value)
