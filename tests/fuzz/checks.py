"""What schemathesis is told beside the description: a check of its own, ids that exist, and how lines of JSON are sent."""

import os
import zlib

import requests
import schemathesis

# What the proxy of `wrangler dev` answers in place of a Worker whose idle connection it lost. No gateway answers so.
PROXY = b"Your worker restarted mid-request"


def asking_again(send):
    """Asks again where wrangler's proxy answered."""

    def sent(adapter, request, **how):
        answer = send(adapter, request, **how)
        for _ in range(3):
            if answer.status_code != 503 or not answer.content.startswith(PROXY):
                break
            answer = send(adapter, request, **how)
        return answer

    return sent


# Below schemathesis, for its checks send requests of their own, which no hook of its sees.
requests.adapters.HTTPAdapter.send = asking_again(requests.adapters.HTTPAdapter.send)


@schemathesis.check
def no_accident(ctx, response, case):
    """A status above 499 is a refusal that the document names, never an accident."""
    if response.status_code < 500:
        return
    code = (response.headers.get("x-error-code") or [""])[0]
    assert code, f"{response.status_code} without x-error-code"
    assert code != "internal_error", f"{response.status_code} internal_error"


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Every other call that is asked for is one that was placed."""
    for name in ("id", "call_id", "workflow_run_id"):
        given = (path_parameters or {}).get(name)
        if given is not None and zlib.crc32(str(given).encode()) % 2 == 0:
            path_parameters[name] = os.environ["CALL"]
    return path_parameters


@schemathesis.serializer("application/x-ndjson")
def lines_of_json(ctx, value):
    return value.encode() if isinstance(value, str) else str(value).encode()
