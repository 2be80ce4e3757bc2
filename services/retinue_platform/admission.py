"""Who is next: the order of the queue and who of it fits into the free slots. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class Entry:
    """A job as the queue sees it. `slots` is what it occupies: its GPUs, at least one."""

    id: UUID
    user: str
    priority: int
    slots: int
    created_at: datetime


def needed_slots(resources: dict[str, object]) -> int:
    """How many slots a job of these resources occupies."""
    gpus = resources.get("gpus", 0)
    return max(1, gpus if isinstance(gpus, int) else 0)


def order(waiting: Iterable[Entry], running: Iterable[Entry]) -> list[Entry]:
    """The queue, next one first: by priority, then who has fewest jobs before this one, then who waits longest."""
    busy = Counter(entry.user for entry in running)
    rest = sorted(waiting, key=lambda entry: (-entry.priority, entry.created_at, str(entry.id)))
    queue: list[Entry] = []
    while rest:
        # min keeps the first of equals, so the longest waiting one of those with as few jobs
        following = min(rest, key=lambda entry: (-entry.priority, busy[entry.user]))
        rest.remove(following)
        busy[following.user] += 1
        queue.append(following)
    return queue


def admit(waiting: Collection[Entry], running: Collection[Entry], slots: int) -> list[Entry]:
    """Those that may start now. The first one that does not fit holds the rest back, so that large jobs get their turn."""
    free = slots - sum(entry.slots for entry in running)
    admitted: list[Entry] = []
    for entry in order(waiting, running):
        size = min(entry.slots, slots)
        if size > free:
            break
        free -= size
        admitted.append(entry)
    return admitted
