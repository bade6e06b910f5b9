"""A small world, a clock that stands still, and clients that speak to it over a real socket."""

import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from starlette.types import ASGIApp, Receive, Scope, Send

from fluence_watch.simulator import (
    Clock,
    FaultPlan,
    SettableClock,
    World,
    build_world,
    create_app,
    running,
)

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
KEY = {"X-API-KEY": "simulator"}
OPENAPI = Path(__file__).parents[2] / "fixtures" / "cloud" / "openapi.json"
PUBLISHED = "urn:published"
FORMATS = FormatChecker(["uuid", "date"])


@FORMATS.checks("date-time")
def is_rfc_3339(value: object) -> bool:
    """Whether it is a time with its zone, as far as RFC 3339 is strict."""
    wanted = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
    return not isinstance(value, str) or re.fullmatch(wanted, value) is not None


class Stage:
    """An ASGI app whose inner app each test exchanges, so that one socket serves them all."""

    app: ASGIApp | None = None
    url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """One real server for a whole test module."""
    stage = Stage()
    async with running(stage) as stage.url:
        yield stage


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(NOW)


@pytest.fixture
def world() -> World:
    """Six VMs with epochs of a day."""
    return build_world(seed=7, vms=6, epoch=timedelta(hours=24), now=NOW)


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest_asyncio.fixture(loop_scope="module")
async def client(
    stage: Stage, world: World, clock: SettableClock, faults: FaultPlan
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the right key, on the world of this test."""
    stage.app = create_app(world, clock, faults=faults)
    # it is plain HTTP, and to load the certificates would take longer than a test
    async with httpx.AsyncClient(base_url=stage.url, headers=KEY, verify=False) as client:
        yield client


Speak = Callable[..., httpx.AsyncClient]


@pytest.fixture(scope="session")
def speak() -> Speak:
    """`speak(world, clock, dialect)` is a client with the right key, without a socket."""

    def connected(
        world: World, clock: Clock, dialect: str, faults: FaultPlan | None = None
    ) -> httpx.AsyncClient:
        app = create_app(world, clock, faults=faults, dialect=dialect)
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url="http://sim", headers=KEY)

    return connected


class Published:
    """The published description of the `cloud` generation, as a judge of answers."""

    def __init__(self) -> None:
        document = json.loads(OPENAPI.read_text("utf-8"))
        self.paths = document["paths"]
        _forbid_more(document)
        resource = DRAFT202012.create_resource(document)
        self._registry = Registry().with_resource(PUBLISHED, resource)
        self._validator = cache(self._new_validator)

    @property
    def operations(self) -> set[tuple[str, str]]:
        """Every method and path that is published."""
        return {(method.upper(), path) for path in self.paths for method in self.paths[path]}

    def operation(self, method: str, path: str) -> tuple[str, str]:
        """The published operation that a request is one of."""
        for template in sorted(self.paths, key=lambda text: text.count("{")):
            if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
                return method, template
        raise LookupError(path)

    def check(self, response: httpx.Response) -> Any:  # noqa: ANN401 - JSON of any shape
        """The answer's JSON; an error when it is not as published."""
        request = response.request
        method, template = self.operation(request.method, request.url.path)
        payload = response.json()
        self._validator(_pointer(method, template, response.status_code)).validate(payload)
        return payload

    def _new_validator(self, pointer: str) -> Draft202012Validator:
        schema = {"$ref": f"{PUBLISHED}#{pointer}"}
        return Draft202012Validator(schema, registry=self._registry, format_checker=FORMATS)


def _pointer(method: str, template: str, status: int) -> str:
    if status >= 400:
        return "/components/schemas/ErrorBody"
    path = template.replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
    answer = f"/paths/{path}/{method.lower()}/responses/{status}"
    return f"{answer}/content/application~1json/schema"


def _forbid_more(node: object, name: str = "") -> None:
    """A key that is not published is a slip of ours: say so, but where schemas are combined."""
    if isinstance(node, list):
        for each in node:
            _forbid_more(each)
    elif isinstance(node, dict):
        if "properties" in node and name not in {"SecurityGroupRuleKindDto", "allOf"}:
            node.setdefault("additionalProperties", False)
        for key, inner in node.items():
            if key != "allOf":
                _forbid_more(inner, key)


@pytest.fixture(scope="session")
def published() -> Published:
    return Published()
