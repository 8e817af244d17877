"""Texts on the console."""

import pytest

from api.adapters.sms import Text, TextUnavailable, open_texter


async def test_the_console_shows_the_whole_text(capsys: pytest.CaptureFixture[str]) -> None:
    await open_texter("console://").send(Text("+15005550006", "Reply Yes to add $25.00", "event-1"))
    assert capsys.readouterr().out == "Text to +15005550006: Reply Yes to add $25.00\n"


@pytest.mark.parametrize("url", ["", "console", "https://key:secret@sms.example"])
def test_another_setting_stops_with_one_line_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^SMS_URL must be [^\n]+$") as raised:
        open_texter(url)
    assert "secret" not in str(raised.value)


def test_a_text_that_cannot_go_out_says_whether_to_try_again() -> None:
    assert TextUnavailable("no such number", permanent=True).permanent
