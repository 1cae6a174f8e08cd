"""The machine's own clock."""

import time


class SystemClock:
    """Time as the machine tells it."""

    def now(self) -> float:
        """See Clock."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        time.sleep(seconds)
