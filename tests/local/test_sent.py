"""What becomes of messages that were sent twice, or under an id that was used before."""

from tests.local.driver import place, register


def test_a_message_that_is_sent_twice_takes_effect_once(shop):
    shop.handle(register("ada"), register("ada"))
    shop.handle(register("ada"))

    assert (shop.status()["users"], shop.status()["mails"], shop.status()["dead_letters"]) == (1, 1, 0)


def test_an_id_that_is_used_again_for_another_content_is_a_dead_letter(shop):
    shop.handle(register("ada", id="one"))
    shop.handle(register("ada", id="one", time="2026-01-02T00:00:00Z"))

    (letter,) = shop.letters()
    assert (letter["reason"], letter["subject"]) == ("IdReused", "ada")
    assert "id 'one' of source '/test' was used" in letter["text"]


def test_the_same_id_of_another_source_is_another_message(shop):
    shop.handle(place("a", id="one", source="/one"), place("b", id="one", source="/two"))

    assert (shop.status()["orders"]["placed"], shop.letters()) == (2, [])


def test_an_order_placed_again_with_another_content_is_a_dead_letter(shop):
    shop.handle(place("a", 1000, id="one"), place("a", 2000, id="two"), place("a", 1000, id="three"))

    assert shop.reasons() == ["RuleViolation"]
    assert shop.status()["money"]["USD"]["placed"] == 1000


def test_what_came_in_with_no_text_in_an_unknown_field_is_handled_all_the_same(shop):
    line = b'{"type": "users.register-user.v1", "subject": "ada", "data": {"name": "A", "email": "a@b", "x": "\xff"}}'

    sent = shop("send", "-", stdin=line)
    shop.work()

    assert shop.status()["users"] + len(sent.err.splitlines()) == 1
