"""Wakes whoever waits for a change. Carries topic names only: what changed is read from the database.

Topics: `datasets:<project id>`, `jobs:<project id>`, `job:<job id>`, `imports`, `trash`, `reconcile`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Subscription:
    """The topics that changed since they were last taken. It cannot overflow: a topic is in it once or not."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._changed: set[str] = set()
        self._event = asyncio.Event()

    def wake(self, topic: str) -> None:
        """Note a change; callable from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._note, topic)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    async def changed(self, timeout_seconds: float | None = None) -> set[str]:
        """Wait for changes and take them; the empty set after the timeout."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return set()
        self._event.clear()
        changed, self._changed = self._changed, set()
        return changed

    def _note(self, topic: str) -> None:
        self._changed.add(topic)
        self._event.set()


class Bus:
    """In-process publish and subscribe: the platform is one process."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, set[Subscription]] = defaultdict(set)

    def publish(self, *topics: str) -> None:
        """Wake the subscribers of these topics; callable from any thread. Call it after the commit."""
        for topic in topics:
            for subscription in tuple(self._subscriptions.get(topic, ())):
                subscription.wake(topic)

    @contextmanager
    def subscribe(self, *topics: str) -> Iterator[Subscription]:
        """Subscribe for the length of a `with` block, from the event loop. Read the state after subscribing."""
        subscription = Subscription(asyncio.get_running_loop())
        for topic in topics:
            self._subscriptions[topic].add(subscription)
        try:
            yield subscription
        finally:
            for topic in topics:
                self._subscriptions[topic].discard(subscription)
                if not self._subscriptions[topic]:
                    del self._subscriptions[topic]
