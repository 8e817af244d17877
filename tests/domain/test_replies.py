"""What a text that came in means (rule 17)."""

from __future__ import annotations

import pytest

from api.domain.replies import Reply, read_reply

YES = [
    "yes", "Yes", "YES", "yEs", " yes ", "\tyes\n", "yes!", "Yes.", "YES!!!", "(yes)", '"Yes"', "¡yes!", "yes 👍",
    "y e s", "ｙｅｓ", "ＹＥＳ！", "yes\u200b", "\u202ayes\u202c",
    "si", "Si", "SI", "sí", "Sí", "SÍ", "si\u0301", "¡Sí!", "sí.", " SÍ ! ", "*sí*",
]  # fmt: skip
STOP = [
    "STOP", "stop", "Stop.", " stop ", "STOP!", "ＳＴＯＰ",
    "stopall", "STOP ALL", "unsubscribe", "Cancel", "END", "quit", "Revoke", "opt-out",
    "OPT OUT", "alto", "ALTO!", "parar",
    "Cancelar", "please stop", "stop texting me", "yes stop", "STOP yes",
    "stop help", "help stop",
]  # fmt: skip
HELP = ["HELP", "help", "help!", " Help ", "INFO", "ayuda", "AYUDA", "¿Ayuda?", "help me", "help yes"]
START = ["START", "start", "UNSTOP", "Un-Stop", "empezar"]
OTHER = [
    "", " ", "👍", "y", "yeah", "yep", "ok", "no", "nope", "yes please",
    "yes yes", "not yes", "don't, yes", "si no", "sir",
    "yes 25", "yes1", "1", "sii", "yеs", "the end", "cancel my appointment", "can you help", "start now", "$25",
    "x" * 2_000,
]  # fmt: skip


@pytest.mark.rule("17")
@pytest.mark.parametrize(
    "text, reply",
    [(text, reply) for texts, reply in ((YES, Reply.YES), (STOP, Reply.STOP), (HELP, Reply.HELP), (START, Reply.START),
     (OTHER, Reply.OTHER)) for text in texts],
    ids=ascii,
)  # fmt: skip
def test_a_text_means_one_thing_however_it_is_written(text: str, reply: Reply) -> None:
    assert read_reply(text).reply is reply


@pytest.mark.rule("37")
@pytest.mark.parametrize(
    "text, locale",
    [("Sí", "es"), ("ayuda", "es"), ("PARAR", "es"), ("yes", "en"), ("help", "en"), ("hola", "en"), ("", "en")],
)
def test_the_words_tell_the_language_where_they_can(text: str, locale: str) -> None:
    assert read_reply(text).locale == locale
