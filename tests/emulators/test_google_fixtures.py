"""Both of Google's emulators answer Google's own clients."""

import pytest
from google.api_core.exceptions import AlreadyExists
from google.cloud import firestore as documents
from google.cloud import pubsub_v1

from tests.support.gcp_emulators import fresh_project


def test_a_message_goes_through_a_topic_to_a_subscription(pubsub, monkeypatch):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
    project = fresh_project()
    with pubsub_v1.PublisherClient() as publisher, pubsub_v1.SubscriberClient() as subscriber:
        topic, subscription = f"projects/{project}/topics/bus", f"projects/{project}/subscriptions/orders"
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name=subscription, topic=topic)

        publisher.publish(topic, b"hello", type="greeting").result()

        (received,) = subscriber.pull(subscription=subscription, max_messages=1).received_messages
        assert (received.message.data, received.message.attributes["type"]) == (b"hello", "greeting")
        publisher.stop()


def test_a_document_is_created_once_in_a_database_that_nobody_made(firestore, monkeypatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore.host)
    client = documents.Client(project=fresh_project(), database="trefoil-dev-store")
    commit = client.document("streams/orders:o1/commits/1")

    commit.create({"version": 1})

    with pytest.raises(AlreadyExists):
        commit.create({"version": 2})
    assert commit.get().to_dict() == {"version": 1}
    client.close()
