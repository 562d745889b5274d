"""The nets that tests/conftest.py puts under every test hold."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
CONFTEST = Path(__file__).with_name("conftest.py")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite of its own that has our conftest, and of the plugins the one it needs."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(CONFTEST.read_text())
    return pytester


def run(suite: pytest.Pytester, text: str, *arguments: str) -> pytest.RunResult:
    """Run one test file in a process of its own."""
    suite.makepyfile(textwrap.dedent(text))
    return suite.runpytest_subprocess("-p", "pytest_twisted", "-p", "no:cacheprovider", *arguments)


def test_logged_failure_is_seen(suite: pytest.Pytester) -> None:
    """A failure that is logged and not expected makes the test fail; an expected one does not."""
    result = run(
        suite,
        """
        from twisted.logger import Logger
        from twisted.python.failure import Failure

        def log_one():
            Logger().failure("broken", Failure(ValueError("seen")))

        def test_unexpected():
            log_one()

        def test_expected(logged_failures):
            log_one()
            assert len(logged_failures.flush(ValueError)) == 1
        """,
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*1 failure(s) logged and not flushed*"])


def test_leftover_timer_is_seen(suite: pytest.Pytester) -> None:
    """A delayed call that a test leaves in the real reactor makes it fail, and only it."""
    result = run(
        suite,
        """
        import pytest_twisted

        @pytest_twisted.ensureDeferred
        async def test_dirty():
            from twisted.internet import reactor
            reactor.callLater(1000, print)

        @pytest_twisted.ensureDeferred
        async def test_clean():
            from twisted.internet import reactor, task
            await task.deferLater(reactor, 0, lambda: None)
        """,
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*delayed calls left behind*"])


def test_missing_program_is_named(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program skips the test with the package's name, and fails it where programs are required."""
    text = """
        def test_one(program):
            program("no-such-program")
        """
    monkeypatch.delenv("MAILSHARE_PEERS", raising=False)
    result = run(suite, text, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*apt-get install no-such-program*"])
    monkeypatch.setenv("MAILSHARE_PEERS", "required")
    run(suite, text).assert_outcomes(failed=1)


def test_power_cuts_are_opt_in(suite: pytest.Pytester) -> None:
    """A test marked as a power cut runs only when asked for."""
    text = """
        import pytest

        @pytest.mark.powercut
        def test_one():
            pass
        """
    run(suite, text).assert_outcomes(skipped=1)
    run(suite, text, "--run-powercut").assert_outcomes(passed=1)
