"""The Table service as far as Trefoil asks it: inserts, queries by key, transactions. It keeps what it is given."""

import json
import re
from collections.abc import Callable, Mapping
from email import message_from_bytes
from io import BytesIO
from operator import eq, ge, gt, lt
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
import urllib3
from msgspec import Struct

_PATH = re.compile(r"/(?P<table>[^(/]+)(?P<keys>\(.*\))?")
_KEYS = re.compile(r"\(PartitionKey='((?:[^']|'')*)',RowKey='((?:[^']|'')*)'\)")
_TERM = re.compile(r"(\w+) (eq|ge|gt|lt) '((?:[^']|'')*)'")
_COMPARED = {"eq": eq, "ge": ge, "gt": gt, "lt": lt}
_KINDS = {("POST", False): "insert", ("GET", True): "get", ("GET", False): "query", ("DELETE", True): "delete"}
_NEXT = "x-ms-continuation-next"
_TEXTS = {
    "EntityAlreadyExists": "The specified entity already exists.",
    "ResourceNotFound": "The specified resource does not exist.",
}


class Answered(Struct, frozen=True):
    """What the service answers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Asked(Struct, frozen=True):
    """What the service is asked."""

    name: str
    """insert, get, query, delete or batch."""
    table: str
    query: Mapping[str, str]
    keys: tuple[str, str] | None = None
    entity: Mapping[str, Any] = {}
    parts: "tuple[Asked, ...]" = ()
    """Of a transaction."""
    timeout: tuple[float, float] | None = None
    headers: Mapping[str, str] = {}

    @staticmethod
    def read(request: requests.PreparedRequest, timeout: tuple[float, float]) -> "Asked":
        return _read(request.method, request.url, request.headers, _bytes(request.body), timeout)


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else body or b""


def _read(method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: Any = None) -> Asked:
    target = urlsplit(url)
    query = dict(parse_qsl(target.query))
    if target.path == "/$batch":
        parts = tuple(_part(text) for text in _changes(headers["Content-Type"], body))
        return Asked("batch", parts[0].table, query, parts=parts, timeout=timeout)
    found = _PATH.fullmatch(target.path)
    keys = _KEYS.fullmatch(unquote(found["keys"] or ""))
    name = _KINDS[method, keys is not None]
    plain = tuple(text.replace("''", "'") for text in keys.groups()) if keys else None
    entity = json.loads(body) if body else {}
    return Asked(name, found["table"], query, plain, entity, timeout=timeout, headers=dict(headers))


def _changes(kind: str, body: bytes) -> list[bytes]:
    """The requests of a transaction: parts of the one part that the request has."""
    whole = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    (changes,) = whole.get_payload()
    return [each.get_payload(decode=True) for each in changes.get_payload()]


def _part(text: bytes) -> Asked:
    head, _, body = text.replace(b"\r\n", b"\n").partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    method, url, _ = first.split(" ")
    return _read(method, url, dict(line.split(": ", 1) for line in lines), body)


def refusal(status: int, code: str, text: str = "") -> Answered:
    """An error as the service tells it."""
    said = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": text or _TEXTS.get(code, "because")}}}
    return Answered(status, json.dumps(said).encode(), {"x-ms-error-code": code, "Content-Type": "application/json"})


def answer_to(request: requests.PreparedRequest, answered: Answered) -> requests.Response:
    """As if it had come by wire."""
    headers = {"Content-Type": "application/json;odata=minimalmetadata", **answered.headers}
    raw = urllib3.HTTPResponse(BytesIO(answered.body), headers, answered.status, preload_content=False)
    return requests.adapters.HTTPAdapter().build_response(request, raw)


class Tables:
    """Entities by table and key."""

    def __init__(self) -> None:
        self.entities: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.most = 1000
        """Entities that a page holds, whatever is asked for."""
        self._lock = Lock()

    def answers(self) -> dict[str, Callable[[Asked], Answered]]:
        return {"insert": self.insert, "get": self.get, "query": self.query, "batch": self.batch}

    def sorted(self, table: str) -> list[dict[str, Any]]:
        with self._lock:
            rows = sorted(self.entities.items())
        return [entity for (of, _, _), entity in rows if of == table]

    def insert(self, asked: Asked) -> Answered:
        with self._lock:
            fault = self._fault(asked)
            if not fault:
                self._apply(asked)
        return fault or Answered(204, headers={"etag": "W/1"})

    def get(self, asked: Asked) -> Answered:
        found = self.entities.get((asked.table, *asked.keys))
        return Answered(200, json.dumps(found).encode()) if found else refusal(404, "ResourceNotFound")

    def query(self, asked: Asked) -> Answered:
        rows = [row for row in self.sorted(asked.table) if _passes(row, asked.query.get("$filter", ""))]
        begin = tuple(asked.query.get(f"Next{key}", "") for key in ("PartitionKey", "RowKey"))
        rows = [row for row in rows if _place(row) >= begin]
        count = min(self.most, int(asked.query.get("$top", self.most)))
        page, rest = rows[:count], rows[count:]
        chosen = asked.query.get("$select", "").split(",")
        shown = [{name: row[name] for name in row if chosen == [""] or name in chosen} for row in page]
        more = dict(zip((f"{_NEXT}partitionkey", f"{_NEXT}rowkey"), _place(rest[0]), strict=True)) if rest else {}
        return Answered(200, json.dumps({"value": shown}).encode(), more)

    def batch(self, asked: Asked) -> Answered:
        """All or nothing; the answer is one part a request, or the first error."""
        with self._lock:
            faults = [(number, self._fault(part)) for number, part in enumerate(asked.parts)]
            number, fault = next(((number, each) for number, each in faults if each), (0, None))
            if fault is None:
                for part in asked.parts:
                    self._apply(part)
        if fault is None:
            return together([Answered(204) for _ in asked.parts])
        said = json.loads(fault.body)["odata.error"]
        return together([refusal(fault.status, said["code"], f"{number}:{said['message']['value']}")])

    def _fault(self, asked: Asked) -> Answered | None:
        exists = (asked.table, *_keys(asked)) in self.entities
        if asked.name == "insert":
            return refusal(409, "EntityAlreadyExists") if exists else None
        return None if exists else refusal(404, "ResourceNotFound")

    def _apply(self, asked: Asked) -> None:
        key = (asked.table, *_keys(asked))
        if asked.name == "delete":
            del self.entities[key]
        else:
            self.entities[key] = dict(asked.entity)


def _keys(asked: Asked) -> tuple[str, str]:
    return asked.keys or _place(asked.entity)


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["PartitionKey"], row["RowKey"]


def _passes(row: Mapping[str, Any], text: str) -> bool:
    terms = text.split(" and ") if text else []
    found = [_TERM.fullmatch(term) for term in terms]
    return all(_COMPARED[each[2]](row[each[1]], each[3].replace("''", "'")) for each in found)


def together(answers: list[Answered]) -> Answered:
    """The answer to a transaction."""
    lines = []
    for number, each in enumerate(answers):
        lines += ["--changes", "Content-Type: application/http", "Content-Transfer-Encoding: binary", ""]
        lines += [f"HTTP/1.1 {each.status} because", f"Content-ID: {number}"]
        lines += [f"{name}: {value}" for name, value in each.headers.items()]
        lines += ["", each.body.decode()]
    inner = "\r\n".join([*lines, "--changes--", ""])
    outer = f"--all\r\nContent-Type: multipart/mixed; boundary=changes\r\n\r\n{inner}\r\n--all--\r\n"
    return Answered(202, outer.encode(), {"Content-Type": "multipart/mixed; boundary=all"})
