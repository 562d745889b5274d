"""`python -m mutants MINUTES [SEED]`: tries every subject in turn with new mutants; each find becomes a file to replay."""

from __future__ import annotations

import hashlib
import sys
import time
import traceback
from pathlib import Path
from random import Random

from mutants.everything import SUBJECTS
from mutants.mutation import mutant
from mutants.of_the_office import call
from mutants.subject import FINDINGS, Subject

FOLDER = Path(__file__).parent.parent / FINDINGS
TURN = 0.2  # seconds of this thread's time that each subject has before it is the next one's turn
SLOW = 1.0  # seconds of this thread's time for one mutant of at most 20,000 octets


def told(subject: Subject, data: bytes) -> str:
    """Why an input is a find, as one line that stays the same for finds of one cause; empty when it is none."""
    start = time.thread_time()
    try:
        subject.feed(data)
    except Exception as fault:
        frames = [frame for frame in traceback.extract_tb(fault.__traceback__) if "/mailshare/" in frame.filename]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "in the subject"
        return f"{type(fault).__name__} {where}"
    return "slow" if time.thread_time() - start > SLOW else ""


def keep(subject: Subject, data: bytes) -> Path:
    """Write a find where test_fuzz.py replays it."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{subject.name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def main() -> int:
    """Run for so many minutes; 1 when something was found."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    until = time.monotonic() + minutes * 60
    random = Random(seed)
    tried, known = dict.fromkeys((subject.name for subject in SUBJECTS), 0), set[tuple[str, str]]()
    while time.monotonic() < until:
        for subject in SUBJECTS:
            began = time.thread_time()
            while time.thread_time() - began < TURN:
                data = call(random) if subject.name == "control" and random.random() < 0.7 else mutant(random, subject)
                why = told(subject, data)
                tried[subject.name] += 1
                if why and (subject.name, why) not in known:
                    known.add((subject.name, why))
                    print(f"FOUND {subject.name}: {why}: {keep(subject, data)}", flush=True)
                if time.monotonic() > until:
                    break
    print(f"seed {seed}: {sum(tried.values())} inputs, {len(known)} finds: {tried}")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
