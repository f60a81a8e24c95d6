"""Times and amounts of data as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.config.amounts import duration, duration_text, size, size_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7d", 604_800), ("12h", 43_200), ("90m", 5400), ("30s", 30), ("2w", 1_209_600), ("1.5 h", 5400)],
)
def test_a_time(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "amount"),
    [("50G", 50 * 10**9), ("500MB", 5 * 10**8), ("1.5T", 15 * 10**11), ("2GiB", 2**31), ("4Mi", 2**22)],
)
def test_an_amount(text: str, amount: int) -> None:
    assert size(text) == amount


@pytest.mark.parametrize("value", ["", "7", 7, "0d", "0.5s", "-1d", "7 days", "d", "1e3d", "9" * 12 + "d", None, True])
def test_what_is_no_time(value: object) -> None:
    with pytest.raises(ValueError, match=r"^must be a time such as 7d, 12h or 90m, not "):
        duration(value)


@pytest.mark.parametrize("value", ["", "50", 50, "0G", "1M0", "-1G", "50g", "500k", "G", "9" * 12 + "T", None, True])
def test_what_is_no_amount(value: object) -> None:
    with pytest.raises(ValueError, match=r"^must be an amount such as 50G or 500M, not "):
        size(value)


@settings(max_examples=50)
@given(st.integers(1, 3 * 10**9))
def test_a_time_is_shown_as_it_may_be_written(seconds: int) -> None:
    assert duration(duration_text(seconds)) == seconds


@settings(max_examples=50)
@given(st.integers(10**6, 10**15))
def test_an_amount_is_shown_as_it_may_be_written(amount: int) -> None:
    assert size(size_text(amount)) == amount
