"""HTTP as an emulator's administration speaks it: the SDK's client for it knows https only."""

from typing import Any

from azure.core.pipeline.transport import HttpRequest, RequestsTransport


class PlainHttp(RequestsTransport):  # type: ignore[misc]  # azure.core loads it late
    """Sends every request without TLS. For loopback."""

    def send(self, request: HttpRequest, **options: Any) -> Any:
        """See HttpTransport."""
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **options)
