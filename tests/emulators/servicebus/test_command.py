"""The emulator as a command: its ready line, its log, its end, and what it refuses to start with."""

import json
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException
from threading import Barrier

import pytest

pytest.importorskip("proton", reason="install python-qpid-proton")
pytest.importorskip("azure.servicebus", reason="install azure-servicebus")

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusQuotaExceededError

from infra.emulators.emulator import HOST
from infra.emulators.supervisor import free_port
from tests.support.servicebus import ROOT, running
from tests.support.servicebus_administration import asked


def written(folder, *queues):
    file = folder / "Config.json"
    file.write_text(json.dumps({"UserConfig": {"Namespaces": [{"Name": "n", "Queues": queues}]}}))
    return file


def run(*arguments):
    command = [sys.executable, "-m", "infra.emulators.servicebus", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_it_says_that_it_is_ready_and_ends_when_asked_also_while_somebody_is_connected(tmp_path):
    with running(written(tmp_path, {"Name": "orders"}), tmp_path) as emulator:
        with socket.create_connection((HOST, emulator.port), timeout=5) as client:
            client.sendall(b"AMQP\x03\x01\x00\x00")
            assert client.recv(8) == b"AMQP\x03\x01\x00\x00"
            code = emulator.stop()

        assert code == 0
        assert f"Service Bus emulator is ready on {HOST}:{emulator.port}" in emulator.log
        assert emulator.log.endswith("Service Bus emulator has stopped\n")


def test_its_log_tells_what_happened_and_no_payload(tmp_path):
    with running(written(tmp_path, {"Name": "orders"}), tmp_path) as emulator:
        with (
            ServiceBusClient.from_connection_string(emulator.connection) as client,
            client.get_queue_sender("orders") as sender,
            client.get_queue_receiver("orders") as receiver,
        ):
            sender.send_messages(ServiceBusMessage("payload-and-nothing-else"))
            (message,) = receiver.receive_messages(1, max_wait_time=10)
            receiver.dead_letter_message(message, reason="BadThing", error_description="payload-once-more")
        emulator.stop()

        assert "orders: message 1 is dead-lettered: BadThing" in emulator.log
        assert re.search(r"^\d\d:\d\d:\d\d a client has connected: ", emulator.log, re.MULTILINE)
        assert "payload" not in emulator.log


def test_a_full_queue_says_so(tmp_path):
    config = written(tmp_path, {"Name": "small", "Properties": {"MaxSizeInMegabytes": 1}})
    with (
        running(config, tmp_path) as emulator,
        ServiceBusClient.from_connection_string(emulator.connection, retry_total=0) as client,
        client.get_queue_sender("small") as sender,
    ):
        for _ in range(5):
            sender.send_messages(ServiceBusMessage(b"z" * 200_000))

        with pytest.raises(ServiceBusQuotaExceededError):
            sender.send_messages(ServiceBusMessage(b"z" * 200_000))


def test_it_listens_on_this_machine_only(tmp_path):
    with running(written(tmp_path), tmp_path) as emulator, pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", emulator.port), timeout=5)


def test_a_client_that_speaks_nonsense_harms_nobody(tmp_path):
    with running(written(tmp_path, {"Name": "orders"}), tmp_path) as emulator:
        for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x00\x01\x00\x00" + os.urandom(64), b""):
            with socket.create_connection((HOST, emulator.port), timeout=5) as client:
                client.sendall(nonsense)

        with (
            ServiceBusClient.from_connection_string(emulator.connection) as client,
            client.get_queue_sender("orders") as sender,
            client.get_queue_receiver("orders") as receiver,
        ):
            sender.send_messages(ServiceBusMessage("a"))
            assert len(receiver.peek_messages(10)) == 1


def test_a_bad_file_is_refused_and_the_place_is_named(tmp_path):
    config = written(tmp_path, {"Name": "orders", "Properties": {"MaxDeliveryCount": "three"}})

    result = run("--config", config, "--port", free_port())

    assert result.returncode == 2
    assert f"{config}: Expected `int`, got `str` - at `$.UserConfig.Namespaces[0].Queues[0]" in result.stderr
    assert result.stdout == ""


def test_a_port_that_is_taken_is_refused(tmp_path):
    with running(written(tmp_path), tmp_path) as emulator:
        result = run("--config", emulator.config, "--port", emulator.port)

    assert result.returncode == 2
    assert f"port {emulator.port} of {HOST} can't be had" in result.stderr


def test_a_port_for_administration_that_is_taken_is_refused(tmp_path):
    with running(written(tmp_path), tmp_path) as emulator:
        result = run("--config", emulator.config, "--port", free_port(), "--administration", emulator.administration)

    assert result.returncode == 2
    assert f"port {emulator.administration} of {HOST} can't be had" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("option", ["--port", "--administration"])
def test_a_port_that_cant_be_one_is_refused(tmp_path, option):
    given = {"--port": free_port(), "--administration": free_port(), option: 70_000}

    result = run("--config", written(tmp_path), *(each for pair in given.items() for each in pair))

    assert result.returncode == 2
    assert f"argument {option}: '70000' is no port" in result.stderr


def test_it_ends_when_asked_while_many_ask_its_administration(tmp_path):
    with running(written(tmp_path, {"Name": "orders"}), tmp_path) as emulator:
        all_were_answered = Barrier(9, timeout=30)

        def ask_until_it_ends():
            assert asked(emulator, "GET", "orders")[0] == HTTPStatus.OK
            all_were_answered.wait()
            with suppress(OSError, HTTPException):
                while True:
                    asked(emulator, "GET", "orders")

        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask_until_it_ends) for _ in range(8)]
            all_were_answered.wait()
            code = emulator.stop()
            for each in asking:
                each.result(30)

        assert code == 0
        assert emulator.log.endswith("Service Bus emulator has stopped\n")
        assert "Traceback" not in emulator.log


def test_two_emulators_dont_share_a_file(tmp_path):
    with running(written(tmp_path), tmp_path, keeps=True) as emulator:
        result = run("--config", emulator.config, "--port", free_port(), "--data", tmp_path / "data.sqlite")

    assert result.returncode == 2
    assert "data.sqlite can't keep the broker's messages: database is locked" in result.stderr


def test_a_file_that_is_not_there_is_named(tmp_path):
    result = run("--config", tmp_path / "none.json", "--port", free_port())

    assert result.returncode == 2
    assert f"{tmp_path / 'none.json'} can't be read: No such file or directory" in result.stderr
