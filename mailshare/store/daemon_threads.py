"""A thread pool that never keeps a process alive: what was acknowledged is durable, the rest may go with it."""

from __future__ import annotations

from threading import Thread

from twisted.python.threadpool import ThreadPool


class DaemonThread(Thread):
    """A thread that ends with its process."""

    def start(self) -> None:
        """Begin, as a daemon."""
        self.daemon = True
        super().start()


class DaemonThreads(ThreadPool):
    """Twisted's pool with daemon threads, so that a program which fails before it closes its store still ends."""

    threadFactory = DaemonThread
