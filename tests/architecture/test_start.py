"""Importing the core costs little and does nothing: a cloud function pays for it at every cold start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Not `google` itself: where a namespace package is installed with pip's older way, every start has it.
UNWANTED = {
    *("azure", "boto3", "functions_framework", "google.api_core", "google.auth", "google.protobuf", "grpc"),
    *("logging.config", "pydantic", "requests", "rich", "sqlite3", "typer"),
}

UNWANTED_ON_AWS = {
    *("boto3", "s3transfer", "awscrt", "pydantic", "requests", "rich", "sqlite3", "typer", "yaml"),
    *("functions.local", "infra.aws.sam", "infra.emulators", "infra.local", "infra.providers"),
}

UNWANTED_ON_GOOGLE_CLOUD = {
    *("boto3", "botocore", "aws_lambda_powertools", "pydantic", "rich", "sqlite3", "typer", "yaml"),
    *("google.cloud.pubsub_v1", "google.cloud.storage"),
    *("functions.aws", "functions.local", "infra.aws", "infra.emulators", "infra.local", "infra.providers"),
}

UNWANTED_ON_AZURE = {
    *("boto3", "botocore", "google.api_core", "grpc", "pydantic", "rich", "sqlite3", "typer", "yaml"),
    *("azure.identity", "azure.servicebus.aio", "azure.data.tables.aio", "aiohttp"),
    *("functions.aws", "functions.gcp", "functions.local"),
    *("infra.aws", "infra.gcp", "infra.emulators", "infra.local", "infra.providers"),
}

CLIENTS_OF_GOOGLE_CLOUD = {"google.cloud.firestore", "google.pubsub_v1"}

NOT_WITHOUT_A_PROVIDER = {"pybreaker", "smtplib", "tenacity"}

AWS_ENTRY = "import functions.aws.handler"

GCP_ENTRY = "import functions_framework; app = functions_framework.create_app('{target}', 'functions/gcp/main.py')"
GCP_PUSH = "assert app.test_client().post('/', data=b'nonsense').status_code == 429"
GCP_TICK = "assert app.test_client().post('/').status_code == 500"
"""Requests that no broker and no store answers."""

AZURE_ENTRY = "import functions.azure.function_app as entry"
AZURE_CALL = (
    "{{each.get_function_name(): each for each in entry.app.get_functions()}}['{name}'].get_user_function()({given})"
)
"""A batch of no messages, which makes all that a function keeps."""
AZURE = {
    "TREFOIL_SERVICEBUS": "Endpoint=sb://bus.invalid/;SharedAccessKeyName=all;SharedAccessKey=a2V5",
    "TREFOIL_TABLES": "AccountName=trefoil;AccountKey=a2V5;TableEndpoint=https://tables.invalid",
}


def loaded_after(code: str, folder: Path, **environment: str) -> set[str]:
    """What a fresh interpreter has loaded after running the code."""
    report = f"import sys; {code}; print(*sorted(sys.modules), sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", report],
        cwd=folder,
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **environment},
    )
    return set(run.stdout.split())


def unwanted_after(code: str, folder: Path) -> set[str]:
    """What of the unwanted modules is among it."""
    return UNWANTED & loaded_after(code, folder)


def test_importing_the_catalog_loads_no_cloud_no_store_and_no_command_line(root):
    loaded = unwanted_after("import shared.catalog", root)

    assert loaded == set()


def test_importing_the_catalog_leaves_logging_as_it_was(root):
    code = "import logging, shared.catalog; raise SystemExit(len(logging.root.handlers))"

    run = subprocess.run([sys.executable, "-c", code], cwd=root, check=False)

    assert run.returncode == 0


@pytest.mark.parametrize("module", ["logging.config", "sqlite3", "typer"])
def test_an_unwanted_module_is_noticed(root, module):
    loaded = unwanted_after(f"import {module}", root)

    assert module in loaded


@pytest.fixture
def cold(root):
    """What a function on AWS has loaded before its first event."""

    def start(service: str) -> set[str]:
        keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test")
        settings = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_DEFAULT_REGION": "eu-west-1", "TREFOIL_SERVICE": service}
        return loaded_after(AWS_ENTRY, root, **settings, **keys)

    return start


def test_a_cold_start_on_aws_loads_no_other_adapter_and_no_command_line(cold):
    loaded = cold("orders")

    assert loaded & (UNWANTED_ON_AWS | NOT_WITHOUT_A_PROVIDER) == set()
    assert "botocore.client" in loaded


def test_a_service_with_a_provider_loads_its_provider_besides(cold):
    loaded = cold("payments")

    assert loaded & UNWANTED_ON_AWS == {"infra.providers"}
    assert "infra.providers.wiring" in loaded


def test_importing_the_aws_entry_outside_of_lambda_makes_nothing(root):
    loaded = loaded_after(AWS_ENTRY, root, TREFOIL_SERVICE="no such service")

    assert loaded & UNWANTED_ON_AWS == set()
    assert "botocore.client" not in loaded


@pytest.fixture
def cold_on_gcp(root):
    """What a function on Google Cloud has loaded before its first request, or after it."""

    def start(service: str, request: str = "", target: str = "receive") -> set[str]:
        # Nothing answers at port 1, and repeats would take twenty seconds.
        hosts = dict.fromkeys(("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"), "127.0.0.1:1")
        settings = {"GOOGLE_CLOUD_PROJECT": "p", "TREFOIL_SERVICE": service, **hosts}
        impatient = "import google.api_core.retry as r; r.if_exception_type = lambda *_: lambda _: False"
        code = "; ".join(filter(None, [impatient, GCP_ENTRY.format(target=target), request]))
        return loaded_after(code, root, **settings)

    return start


def test_a_cold_start_on_google_cloud_loads_no_other_adapter_and_no_command_line(cold_on_gcp):
    loaded = cold_on_gcp("payments")

    assert loaded & (UNWANTED_ON_GOOGLE_CLOUD | NOT_WITHOUT_A_PROVIDER) == set()
    assert {"functions.gcp.telemetry", "infra.gcp.wiring", "shared.catalog"} <= loaded


def test_clients_are_loaded_before_gunicorn_forks_its_workers(cold_on_gcp):
    """The workers share them, and no first message waits for them; they are made later."""
    loaded = cold_on_gcp("payments")

    assert loaded >= CLIENTS_OF_GOOGLE_CLOUD


@pytest.mark.parametrize("service", ["orders", "payments"])
def test_the_first_request_loads_a_provider_where_the_service_has_one(cold_on_gcp, service):
    loaded = cold_on_gcp(service, GCP_PUSH)

    assert loaded & UNWANTED_ON_GOOGLE_CLOUD == ({"infra.providers"} if service == "payments" else set())


def test_a_tick_loads_no_provider(cold_on_gcp):
    loaded = cold_on_gcp("", GCP_TICK, target="tick")

    assert loaded & (UNWANTED_ON_GOOGLE_CLOUD | NOT_WITHOUT_A_PROVIDER) == set()


def test_importing_the_gcp_entry_starts_no_thread_and_opens_no_channel(root):
    code = (
        "import grpc, threading; grpc.insecure_channel = grpc.secure_channel = None; import functions.gcp.main;"
        " functions.gcp.main._gcp(); raise SystemExit(threading.active_count() - 1)"
    )

    run = subprocess.run([sys.executable, "-c", code], cwd=root, check=False)

    assert run.returncode == 0


@pytest.fixture
def cold_on_azure(root):
    """What the worker has loaded after it indexed the app, or after a function's first batch."""

    def start(service: str = "", **environment: str) -> set[str]:
        call = AZURE_CALL.format(name=service, given="[]") if service else "entry.app.get_functions()"
        return loaded_after(f"{AZURE_ENTRY}; {call}", root, **{**AZURE, **environment})

    return start


def test_a_cold_start_on_azure_loads_no_other_adapter_no_command_line_and_no_identity(cold_on_azure):
    loaded = cold_on_azure()

    assert loaded & (UNWANTED_ON_AZURE | NOT_WITHOUT_A_PROVIDER) == set()
    assert {"functions.azure.telemetry", "infra.azure.wiring", "shared.catalog", "azure.servicebus"} <= loaded


@pytest.mark.parametrize("service", ["orders", "payments"])
def test_the_first_batch_loads_a_provider_where_the_service_has_one(cold_on_azure, service):
    loaded = cold_on_azure(service)

    assert loaded & UNWANTED_ON_AZURE == ({"infra.providers"} if service == "payments" else set())


def test_an_identity_is_loaded_where_one_is_needed(cold_on_azure):
    loaded = cold_on_azure(
        TREFOIL_SERVICEBUS="",
        TREFOIL_TABLES="",
        TREFOIL_SERVICEBUS__fullyQualifiedNamespace="bus.invalid",
        TREFOIL_TABLES__tableServiceUri="https://tables.invalid",
    )

    assert loaded & UNWANTED_ON_AZURE == {"azure.identity"}


def test_the_clients_are_loaded_before_the_first_batch(cold_on_azure):
    assert {"azure.data.tables", "azure.servicebus"} <= cold_on_azure()


def test_indexing_the_azure_app_starts_no_thread_and_opens_no_connection(root):
    code = (
        "import socket, threading; socket.socket.connect = None; import functions.azure.function_app as entry;"
        " entry.app.get_functions(); raise SystemExit(threading.active_count() - 1)"
    )

    run = subprocess.run([sys.executable, "-c", code], cwd=root, check=False, env={**os.environ, **AZURE})

    assert run.returncode == 0
