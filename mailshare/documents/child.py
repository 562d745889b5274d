"""What runs in the confined process: it reads ``work.json`` in its folder, confines itself, does it, and writes
``result.json``. Nothing is imported that opens documents before it is confined.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.bounds import Bounds
from mailshare.documents.confinement import confine
from mailshare.documents.operations import RESULT, WORK, Work, perform
from mailshare.documents.routes import SOCKETS, Tools


def main(parent: int) -> None:
    """Do the work that lies in the present folder.

    :param parent: id of the process that asked.
    """
    folder = os.getcwd()
    with open(WORK, encoding="utf-8") as file:
        told = json.load(file)
    bounds = Bounds(**{**told["bounds"], "tools": tuple(told["bounds"]["tools"])})
    held = confine(
        folder,
        seconds=bounds.seconds,
        memory=bounds.memory,
        octets=bounds.result,
        parent=parent,
        readable=[*_where_packages_lie(), *_where_tools_lie(bounds.tools)],
        sockets=SOCKETS if Tools.found(bounds.tools).has("soffice") else "",
    )
    work = Work(
        folder=folder,
        source=os.path.join(folder, "source"),
        target=os.path.join(folder, "target"),
        declared=told["declared"],
        options=told["options"],
        bounds=bounds,
    )
    result = {**_outcome(told["operation"], work), "held": held}
    with open("result.part", "w", encoding="utf-8") as file:
        json.dump(result, file)
    os.rename("result.part", RESULT)
    os._exit(0)  # libraries that were fed rubbish are not asked to tidy up


def _outcome(operation: str, work: Work) -> dict[str, object]:
    try:
        return {"facts": perform(operation, work)}
    except NotConvertible as refusal:
        return {"cause": refusal.cause.value, "words": refusal.public, "why": str(refusal.detail.get("why", ""))}
    except ImportError as fault:
        words = f"Documents of this kind are opened with {fault.name}, which comes with mailshare[print]"
        return {"cause": Hindrance.TOOL_MISSING.value, "words": words}
    except MemoryError:
        return {"cause": Hindrance.TOO_MUCH_MEMORY.value}
    except RecursionError:
        return {"cause": Hindrance.DAMAGED.value, "why": "nested beyond all measure"}
    except OSError as fault:
        if fault.errno == errno.EFBIG:
            return {"cause": Hindrance.RESULT_TOO_LARGE.value}
        if fault.errno == errno.ENOMEM:
            return {"cause": Hindrance.TOO_MUCH_MEMORY.value}
        return {"cause": Hindrance.DAMAGED.value, "why": f"{type(fault).__name__}: {fault}"[:300]}
    except Exception as fault:  # noqa: BLE001 - libraries raise whatever they like at documents that are not right
        return {"cause": Hindrance.DAMAGED.value, "why": f"{type(fault).__name__}: {fault}"[:300]}


def _where_tools_lie(tools: Sequence[str]) -> list[str]:
    """The folders of programs that lie elsewhere than usual; of an office suite, whose program is in its ``program``,
    all of it.
    """
    paths = [path for name in tools if name.startswith("/") for path in (name, os.path.realpath(name))]
    folders = [os.path.dirname(path) for path in paths]
    return [os.path.dirname(one) if os.path.basename(one) == "program" else one for one in folders]


def _where_packages_lie() -> list[str]:
    """The folders of packages; of one where this program lies beside other things, only the program."""
    program = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    beside = os.path.dirname(program)
    own = os.path.basename(beside) not in ("site-packages", "dist-packages")
    return [program if own and os.path.abspath(path) == beside else path for path in sys.path if path]
