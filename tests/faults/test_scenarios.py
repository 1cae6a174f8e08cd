"""Single accidents, each with what becomes of it."""

from datetime import UTC, datetime

import pytest

from shared.kernel.commit import Commit
from shared.messages.orders import CancelOrder, PlaceOrder
from shared.messages.values import Money
from tests.support import faults
from tests.support.faults_shop import LEASE_SECONDS, Shop
from tests.support.simulation_workload import DATE, Schedule

PLACE = PlaceOrder("Ann", "ann@example.com", 1, Money(2_933, "USD"), DATE)
GIFT = PlaceOrder("Ann", "ann@example.com", 1, Money(0, "USD"), DATE)
PLACED = "order-placed:orders/o1:1:0"
CLAIM_LIMIT = 20.0


@pytest.fixture
def shop():
    return Shop(Schedule())


def forgetful(monkeypatch):
    """A shop whose snapshots, one a commit, remember one id each."""
    monkeypatch.setattr("shared.kernel.stream.SNAPSHOT_EVERY", 1)
    return Shop(Schedule(memory=1))


def test_a_worker_that_dies_between_commit_and_publish_loses_nothing(shop):
    shop.send(PLACE)
    shop.die_at("orders", "publishes")
    assert shop.published == {}

    shop.time += LEASE_SECONDS
    shop.work("orders")

    assert sorted(shop.told()) == ["capture-payment", "order-placed"]
    assert len(shop.commits("orders/o1")) == 1


def test_an_append_whose_answer_was_lost_is_not_repeated(shop):
    shop.send(PLACE)
    shop.arm(faults.APPEND_UNKNOWN)
    shop.work("orders")

    shop.time += LEASE_SECONDS
    shop.work("orders")

    assert [commit.version for commit in shop.commits("orders/o1")] == [1]
    assert sorted(shop.told()) == ["capture-payment", "order-placed"]


def test_a_payment_whose_worker_died_after_the_capture_is_captured_once(shop):
    shop.send(PLACE)
    shop.work("orders")
    shop.die_at("payments", "appends")
    assert shop.books.captured == {"capture:o1": ("o1", 2_933)}

    shop.work_everywhere()

    assert shop.books.captured == {"capture:o1": ("o1", 2_933)}
    assert "order-fulfilled" in shop.told()


def test_a_payment_that_comes_after_the_cancellation_is_refunded(shop):
    shop.send(PLACE)
    shop.work("orders")
    shop.send(CancelOrder("changed my mind"))
    shop.work("orders")

    shop.work_everywhere()

    assert shop.books.captured == {"capture:o1": ("o1", 2_933)}
    assert shop.books.refunded == {"refund:o1": ("o1", 2_933)}
    assert "order-fulfilled" not in shop.told()


def test_a_cancellation_that_overtakes_its_order_waits_for_it(shop):
    shop.send(CancelOrder("changed my mind"))
    shop.work("orders")
    shop.send(PLACE)

    shop.work_everywhere()

    assert shop.letters() == []
    assert shop.told().count("order-cancelled") + shop.told().count("cancellation-refused") == 1


def test_a_cancellation_that_expired_after_its_commit_is_published_all_the_same(shop):
    shop.send(PLACE)
    shop.work("orders")
    shop.send(CancelOrder("changed my mind"), expirytime=datetime.fromtimestamp(shop.time + 30, UTC))
    shop.die_at("orders", "publishes")

    shop.time += LEASE_SECONDS
    shop.work("orders")

    assert "order-cancelled" in shop.told()
    assert shop.letters() == []


def test_a_copy_of_what_a_snapshot_forgot_is_known_all_the_same(monkeypatch):
    shop = forgetful(monkeypatch)
    shop.send(PLACE)
    shop.work_everywhere()
    versions = len(shop.commits("orders/o1"))

    shop.time -= 600.0
    shop.send(PLACE)
    shop.time += 600.0
    shop.work("orders")

    assert len(shop.commits("orders/o1")) == versions
    assert shop.letters() == []


def test_a_mail_whose_worker_died_after_the_claim_is_given_up_and_never_sent(shop):
    shop.send(PLACE)
    shop.work("orders")
    shop.die_at("notifications", "calls")

    shop.time += LEASE_SECONDS
    shop.work("notifications")
    shop.replay_all()
    shop.work("notifications")

    assert shop.given_up("notifications") == ["OutcomeUnknown"]
    assert shop.books.mails[PLACED] == 0


def test_a_mail_whose_worker_died_after_sending_it_is_given_up_and_never_sent_again(shop):
    shop.send(PLACE)
    shop.work("orders")
    shop.die_at("notifications", "appends", after=1)  # the first append is the claim
    assert shop.books.mails[PLACED] == 1

    shop.time += LEASE_SECONDS
    shop.work("notifications")
    shop.replay_all()
    shop.work("notifications")

    assert shop.given_up("notifications") == ["OutcomeUnknown"]
    assert shop.books.mails[PLACED] == 1


def test_a_claim_that_may_be_at_work_is_waited_for(shop):
    shop.send(PLACE)
    shop.work("orders")
    shop.die_at("notifications", "calls")
    [delivery] = shop.broker.waiting("notifications")
    shop.copy("notifications", delivery)

    shop.time += CLAIM_LIMIT / 2
    shop.work("notifications")

    assert shop.given_up("notifications") == []
    assert shop.books.mails[PLACED] == 0


def test_a_mailer_that_is_down_gives_the_claim_back_and_the_mail_is_sent_later(shop):
    shop.send(PLACE)
    shop.work("orders")
    shop.arm(faults.PROVIDER_DOWN)
    shop.work("notifications")
    assert shop.books.mails[PLACED] == 0

    shop.time += LEASE_SECONDS
    shop.work("notifications")

    assert shop.books.mails[PLACED] == 1
    assert shop.letters() == []


def test_a_claim_that_is_given_back_while_another_worker_looks_twice_is_not_taken_for_its_own(monkeypatch):
    shop = forgetful(monkeypatch)
    shop.send(GIFT)
    shop.work("orders")
    [placed] = shop.broker.waiting("notifications")
    shop.die_at("notifications", "calls")  # it is only slow: it will give its claim back
    shop.time += 1.0
    for service in ("shipping", "orders", "notifications"):
        shop.work(service)  # the second mail's snapshot forgets the first one's claim
    given_back = Commit("notifications/o1", 4, shop.time, released=[("/orders", "orders/o1:1:0")])
    shop.before("reads", lambda: shop.store.append(given_back), after=2)

    shop.copy("notifications", placed)
    shop.work("notifications")

    assert len(shop.commits("notifications/o1")) >= given_back.version
    assert shop.broken == []
