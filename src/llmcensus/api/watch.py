"""What changed in the store, looked up at most twice a second: so soon do changes of any process take effect here."""

from __future__ import annotations

import time
from collections.abc import Callable

from llmcensus.store import Store, Versions

BELIEVED_S = 0.5


class Watch:
    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._seen = Versions(0, 0)
        self._at = float("-inf")

    def versions(self) -> Versions:
        now = self._clock()
        if now - self._at > BELIEVED_S:
            self._seen = self._store.versions()
            self._at = now
        return self._seen
