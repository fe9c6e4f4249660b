"""`windage validate`: whether a configuration can be used, and every reason why not.

Says also what the config promises (`promise`).
Promises: problems name file, line, path, reason and the nearest known word; exit code 2 then.
Leaves to others: what is allowed (`schemas.load`).
"""

from pathlib import Path

from schemas.config_error import ConfigError
from schemas.vocabulary import UNNAMED
from streams.cli.configured import load_config
from streams.cli.console import emit_object, say
from streams.cli.endings import REFUSED
from streams.runtime.roles import MonitorRole


def run(path: Path, *, as_json: bool) -> int:
    """Check the config at `path`; gives the exit code."""
    try:
        config = load_config(path)
        MonitorRole(config, {})
    except ConfigError as error:
        if as_json:
            emit_object({"valid": False, "problems": error.problems})
        for problem in error.problems:
            say(str(problem))
        return REFUSED
    from streams.cli.promise import promises

    promised = promises(config)
    if as_json:
        emit_object(
            {"valid": True, "problems": [], "models": config.hashes(), "promises": promised}
        )
    named = len(config.models) - (UNNAMED in config.models)
    words = f"{named} model{'s' if named != 1 else ''}"
    if UNNAMED in config.models:
        words += f", and up to {config.limits.models} that are not named (limits.models)"
    say(f"{path}: ok, {words}")
    for one in promised:
        for sentence in one.words:
            say(f"  {sentence}")
    return 0
