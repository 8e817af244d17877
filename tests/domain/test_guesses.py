"""How wrong tries slow down and lock (rule 10)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.domain.guesses import Guess, counted, wait_after


@pytest.mark.rule("10")
@pytest.mark.parametrize(
    "wrong, seconds",
    [(0, 0), (1, 0), (4, 0), (5, 30), (9, 30), (10, 300), (19, 300), (20, 3600), (99, 3600)],
)
def test_the_wait_grows_with_the_wrong_tries(wrong: int, seconds: int) -> None:
    assert wait_after(wrong) == timedelta(seconds=seconds)


@pytest.mark.rule("10")
@pytest.mark.parametrize("wrong", [100, 101, 10_000])
def test_after_a_hundred_there_is_no_next_try(wrong: int) -> None:
    assert wait_after(wrong) is None


@pytest.mark.rule("10")
@pytest.mark.parametrize("kind", Guess)
@pytest.mark.parametrize("wrong", [0, 9, 10, 50, 99])
def test_each_try_counts_but_those_of_a_reset_only_so_far(kind: Guess, wrong: int) -> None:
    assert counted(wrong, kind) == (wrong if kind.recovers and wrong >= 10 else wrong + 1)


@pytest.mark.parametrize("kind", Guess)
def test_a_secret_that_stands_for_the_holder_clears_the_wrong_tries(kind: Guess) -> None:
    assert kind.clears is (kind in {Guess.PASSWORD, Guess.PROOF, Guess.TOTP, Guess.SECURITY_ANSWERS})
