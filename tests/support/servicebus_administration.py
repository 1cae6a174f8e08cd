"""A client for an emulator's administration, whose SDK speaks TLS unless it is told not to."""

from http.client import HTTPConnection

from azure.servicebus.management import ServiceBusAdministrationClient

from infra.azure.plain_http import PlainHttp
from infra.emulators.emulator import HOST
from tests.support.servicebus import ServiceBusEmulator, connection_string


def administration(emulator: ServiceBusEmulator) -> ServiceBusAdministrationClient:
    """The SDK's client."""
    connection = connection_string(emulator.administration)
    return ServiceBusAdministrationClient.from_connection_string(connection, transport=PlainHttp())


def asked(emulator: ServiceBusEmulator, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    """The status and the text of an answer to a request such as the SDK would not make."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = HTTPConnection(HOST, emulator.administration, timeout=10)
    try:
        connection.request(method, f"/{path}", body, named)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
