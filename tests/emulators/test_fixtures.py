"""Both emulators answer boto3, addressed by us and by pytest-localstack."""

import boto3
import pytest


@pytest.fixture(params=["ministack", "localstack"])
def emulator(request):
    return request.getfixturevalue(request.param)


def test_a_message_goes_through_a_topic_to_a_queue(emulator):
    sns, sqs = (boto3.client(name, **emulator.client_arguments) for name in ("sns", "sqs"))
    topic = sns.create_topic(Name="bus")["TopicArn"]
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})

    sns.publish(TopicArn=topic, Message="hello")

    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == "hello"
    assert queue.startswith(("http://127.0.0.1:", "http://localhost:"))


def test_pytest_localstacks_clients_go_to_the_emulator(emulator):
    with emulator.session() as session:
        queue = session.boto3.client("sqs").create_queue(QueueName="theirs")["QueueUrl"]

    client = boto3.client("sqs", **emulator.client_arguments)
    assert client.get_queue_url(QueueName="theirs")["QueueUrl"] == queue
