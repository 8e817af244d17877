"""The whole table of a payment's steps, spelled out once more by hand."""

import itertools

import pytest

from api.domain.payments import PAYMENT_MOVES, ForbiddenPaymentMove, PaymentStatus, advance

# One row per status before, one column per status after: "x" allowed, "." forbidden, "=" no change.
COLUMNS = [
    PaymentStatus.PROCESSING,
    PaymentStatus.REQUIRES_ACTION,
    PaymentStatus.SUCCEEDED,
    PaymentStatus.FAILED,
    PaymentStatus.PARTIALLY_REFUNDED,
    PaymentStatus.REFUNDED,
    PaymentStatus.CHARGED_BACK,
]
TABLE = {
    PaymentStatus.PROCESSING: "=xxx...",
    PaymentStatus.REQUIRES_ACTION: "x=xx...",
    PaymentStatus.SUCCEEDED: "..=.xxx",
    PaymentStatus.FAILED: "...=...",
    PaymentStatus.PARTIALLY_REFUNDED: "....=xx",
    PaymentStatus.REFUNDED: ".....=.",
    PaymentStatus.CHARGED_BACK: "..x.x.=",
}
PAIRS = list(itertools.product(PaymentStatus, repeat=2))


def cell(old: PaymentStatus, new: PaymentStatus) -> str:
    return TABLE[old][COLUMNS.index(new)]


@pytest.mark.rule("19")
@pytest.mark.parametrize(("old", "new"), [pair for pair in PAIRS if cell(*pair) == "x"])
def test_an_allowed_step_is_a_change(old: PaymentStatus, new: PaymentStatus) -> None:
    assert advance(old, new) is True


@pytest.mark.rule("19")
@pytest.mark.parametrize(("old", "new"), [pair for pair in PAIRS if cell(*pair) == "."])
def test_a_forbidden_step_raises_and_names_both_ends(old: PaymentStatus, new: PaymentStatus) -> None:
    with pytest.raises(ForbiddenPaymentMove, match=f"from {old.value} to {new.value}") as raised:
        advance(old, new)
    assert (raised.value.old, raised.value.new) == (old, new)


@pytest.mark.rule("19")
@pytest.mark.parametrize("status", PaymentStatus)
def test_the_same_step_twice_changes_nothing(status: PaymentStatus) -> None:
    assert cell(status, status) == "="
    assert advance(status, status) is False


def test_every_status_has_its_row_and_no_status_leads_to_itself() -> None:
    assert set(PAYMENT_MOVES) == set(PaymentStatus) == set(TABLE) == set(COLUMNS)
    assert all(status not in moves for status, moves in PAYMENT_MOVES.items())


def test_what_has_failed_or_was_refunded_in_full_never_moves_again() -> None:
    assert {status for status, moves in PAYMENT_MOVES.items() if not moves} == {
        PaymentStatus.FAILED,
        PaymentStatus.REFUNDED,
    }
