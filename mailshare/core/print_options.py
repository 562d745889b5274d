"""Which options hold for a print job: what the job says, before what its destination says, before what the site says.

Options are JSON values by the names of IPP's Job Template attributes.
"""

from __future__ import annotations

from collections.abc import Mapping

Options = Mapping[str, object]

# What excludes each other: a job that names the paper one way is not to get it the other way from the defaults.
_SAME_THING = ({"media", "media-col"}, {"finishings", "finishings-col"}, {"job-hold-until", "job-hold-until-time"})


def effective(job: Options, destination: Options, site: Options) -> dict[str, object]:
    """All options that hold, each from the nearest that has it."""
    out: dict[str, object] = {}
    for nearer in (job, destination, site):
        taken = set(out)
        for name, value in nearer.items():
            rivals = next((one for one in _SAME_THING if name in one), {name})
            if not rivals & taken:
                out[name] = value
    return out
