"""The actors of a run, asked from another process what they are doing."""

from __future__ import annotations

from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from actors.cluster import use_token
from haloforge.errors import BadInput

ANSWER_S = 10.0


def statuses(address: str, namespace: str) -> dict[str, dict[str, Any]]:
    """What each named actor of the namespace says of itself, by name; {"doing": why not} where one does not answer.

    Raises BadInput where no Ray answers at the address.
    """
    use_token()
    try:
        ray.init(address=address, namespace=namespace, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, RayError) as e:
        raise BadInput(f"no Ray answers at {address}: {e}; without --actors the run folder alone is read") from e
    try:
        names = sorted(ray.util.list_named_actors())
        calls = {name: ray.get_actor(name).status.options(name="status").remote() for name in names}
        return {name: _answer(call) for name, call in calls.items()}
    finally:
        ray.shutdown()


def _answer(call: Any) -> dict[str, Any]:
    try:
        return ray.get(call, timeout=ANSWER_S)
    except GetTimeoutError:
        return {"doing": f"no answer within {ANSWER_S:g} s"}
    except RayError as e:
        return {"doing": f"gone: {str(e).partition(chr(10))[0]}"}
