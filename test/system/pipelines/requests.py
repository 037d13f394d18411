"""What the page's client uses of the package `requests`, over the standard library; used where that is not installed."""
import json as _json
from urllib import error, request


class _Response:
    def __init__(self, status: int, body: bytes) -> None:
        self.status_code = status
        self.content = body

    def json(self):
        return _json.loads(self.content)


def _call(method: str, url: str, json=None) -> _Response:
    data = None if json is None else _json.dumps(json).encode()
    headers = {} if json is None else {"Content-Type": "application/json"}
    try:
        with request.urlopen(request.Request(url, data, headers, method=method)) as answer:
            return _Response(answer.status, answer.read())
    except error.HTTPError as refused:
        return _Response(refused.code, refused.read())


def get(url: str) -> _Response:
    return _call("GET", url)


def post(url: str, json=None) -> _Response:
    return _call("POST", url, json)
