"""Reading ahead: the next page is fetched while this one is stored."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, MutableMapping

from hub.common.records import Page

# Two pages in hand hide the source's latency; more would only hold memory.
DEPTH = 2


def ahead(pages: Iterator[Page], *, timings: MutableMapping[str, float]) -> Iterator[Page]:
    """The same pages in the same order, produced by a thread that stays at most DEPTH pages ahead.

    An error of the source is raised here, after the pages before it. When the consumer stops early, so does the thread.
    """
    ready: queue.Queue[Page | BaseException | None] = queue.Queue(DEPTH)
    stop = threading.Event()
    thread = threading.Thread(target=_produce, args=(pages, ready, stop), daemon=True, name="read-ahead")
    thread.start()
    try:
        while True:
            started = time.perf_counter()
            found = ready.get()
            timings["waiting for source"] += time.perf_counter() - started
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stop.set()
        while thread.is_alive():
            _drain(ready)
            thread.join(0.05)


def _produce(pages: Iterator[Page], ready: queue.Queue[Page | BaseException | None], stop: threading.Event) -> None:
    try:
        for page in pages:
            _put(ready, page, stop)
            if stop.is_set():
                return
        _put(ready, None, stop)
    except BaseException as error:  # whatever it is, the consumer must see it
        _put(ready, error, stop)


def _put(
    ready: queue.Queue[Page | BaseException | None], item: Page | BaseException | None, stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.2)
            return
        except queue.Full:
            continue


def _drain(ready: queue.Queue[Page | BaseException | None]) -> None:
    try:
        while True:
            ready.get_nowait()
    except queue.Empty:
        pass
