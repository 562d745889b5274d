"""A password that stands in the configuration file is shown by no complaint about that file."""

from __future__ import annotations

import pytest

from mailshare.config import BrokenConfig, parse_config

SECRET = "xyzzy-plugh"  # what must not be seen
USER = '[[user]]\nname = "andrew"\n'
BROKEN = [
    f'{USER}password = "{SECRET}"\nage = 3\n',
    f'{USER}passwrod = "{SECRET}"\n',
    f"{USER}password = '{SECRET}'\n",
    f"{USER}password = {SECRET}\n",
    f'{USER}password "{SECRET}"\n',
    f'{USER}password = "{SECRET}\n',
    f'{USER}"password" = "{SECRET}" trailing\n',
    f'user = [{{ name = "andrew", password = "{SECRET}", age = 3 }}]\n',
]


@pytest.mark.parametrize("text", BROKEN)
def test_mistakes_do_not_show_it(text: str) -> None:
    """Neither the words of a mistake, nor the line that is quoted, nor a hint holds it."""
    try:
        complaints = parse_config(text, "mailshare.toml").warnings
    except BrokenConfig as broken:
        complaints = broken.problems
    assert complaints
    for problem in complaints:
        assert SECRET not in str(problem)
        assert SECRET not in str(problem.as_json())


def test_references_are_shown() -> None:
    """What only leads to a secret is quoted, so that a wrong path can be seen."""
    with pytest.raises(BrokenConfig) as caught:
        parse_config(f'{USER}password = {{ file = "not-there" }}\n', "mailshare.toml")
    assert 'password = { file = "not-there" }' in str(caught.value)
