"""`/_control`: controls of the simulated world, for tests and manual use. No key is needed.

    POST /_control/<action>   a JSON object from `actions.py`, such as
                              /_control/open-port {"vm": "web-1", "port": "8080/tcp"}
    POST /_control/before     {"request": 2, "action": "vanish", "body": {"vm": "web-1"}}: just before
                              the second request from now, so that a list changes between two
                              of its pages
    POST /_control/clock      {"advance": seconds} or {"set": "2025-04-16T17:59:55Z"}; 409 when the
                              simulator follows the real time
    POST /_control/faults     the next requests fail: {"kind": "status", "status": 503, "times": 2,
                              "retry_after": "5"}; kinds are in `faults.py`
    POST /_control/profile    {"name": "chaos"}; clears the queue
    GET  /_control/world      everything: time, money, VMs, keys, requests seen, the fault plan

Every POST answers 204, or 404, 409, 422 with {"error": …}.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.simulator.actions import ACTIONS, Action
from fluence_watch.simulator.clock import Clock, SettableClock
from fluence_watch.simulator.dialects.view import answer, plain_error, read
from fluence_watch.simulator.errors import UnknownError
from fluence_watch.simulator.faults import PROFILES, Fault, FaultKind, FaultPlan
from fluence_watch.simulator.machine import Machine
from fluence_watch.simulator.world import World


@dataclass(slots=True)
class Traffic:
    """The requests that the API received, and the actions planned before later ones.

    `planned` is keyed by the number of the request.
    """

    count: int = 0
    planned: dict[int, list[Action]] = field(default_factory=dict)
    last_method: str = ""
    last_path: str = ""
    last_headers: dict[str, str] = field(default_factory=dict)


class _ClockChange(Struct, forbid_unknown_fields=True):
    advance: float = 0.0
    set: datetime | None = None


class _Planned(Struct, forbid_unknown_fields=True):
    request: Annotated[int, Meta(ge=1)]
    action: str
    body: msgspec.Raw


class _QueuedFault(Struct, forbid_unknown_fields=True):
    kind: FaultKind
    times: int = 1
    status: int = 503
    retry_after: str | None = None
    seconds: float = 0.0
    megabytes: int = 300


class _ProfileName(Struct, forbid_unknown_fields=True):
    name: str


@dataclass(frozen=True, slots=True)
class Control:
    """The parts of the simulator that `/_control` changes."""

    world: World
    clock: Clock
    faults: FaultPlan
    traffic: Traffic

    def routes(self) -> Sequence[Route]:
        """The endpoints below `/_control`."""
        return (
            Route("/world", self.show_world, methods=["GET"]),
            Route("/before", self.plan, methods=["POST"]),
            Route("/clock", self.move_clock, methods=["POST"]),
            Route("/faults", self.queue_fault, methods=["POST"]),
            Route("/profile", self.set_profile, methods=["POST"]),
            Route("/{action}", self.act, methods=["POST"]),
        )

    async def act(self, request: Request) -> Response:
        """Trigger an event."""
        shape = _shape(request.path_params["action"])
        (await read(request, shape)).apply(self.world)
        return Response(status_code=204)

    async def plan(self, request: Request) -> Response:
        """Trigger an event just before a later request."""
        wanted = await read(request, _Planned)
        action = msgspec.json.decode(wanted.body, type=_shape(wanted.action))
        number = self.traffic.count + wanted.request
        self.traffic.planned.setdefault(number, []).append(action)
        return Response(status_code=204)

    async def move_clock(self, request: Request) -> Response:
        """Advance or set a settable clock, and the world with it."""
        change = await read(request, _ClockChange)
        if not isinstance(self.clock, SettableClock):
            return plain_error(409, "the simulator follows the real time")
        self.clock.set(change.set or self.clock())
        self.clock.advance(timedelta(seconds=change.advance))
        self.world.advance(self.clock())
        return Response(status_code=204)

    async def queue_fault(self, request: Request) -> Response:
        """Make the next requests fail."""
        wanted = await read(request, _QueuedFault)
        fault = Fault(
            wanted.kind, wanted.status, wanted.retry_after, wanted.seconds, wanted.megabytes
        )
        self.faults.queue(fault, wanted.times)
        return Response(status_code=204)

    async def set_profile(self, request: Request) -> Response:
        """Choose a fault profile."""
        name = (await read(request, _ProfileName)).name
        if name not in PROFILES:
            raise UnknownError(f"no such profile; there are {', '.join(PROFILES)}")
        self.faults.profile = PROFILES[name]
        self.faults.clear()
        return Response(status_code=204)

    async def show_world(self, _request: Request) -> Response:
        """The whole state."""
        world = self.world
        return answer(
            {
                "now": world.now,
                "epoch_seconds": world.epoch.total_seconds(),
                "balance": world.balance,
                "deposited": world.deposited,
                "market_percent": world.market_percent,
                "top_ups_fail": world.top_ups_fail,
                "vms": [_shown(machine) for machine in world.machines.values()],
                "gpus": list(world.gpus.values()),
                "ssh_keys": list(world.ssh_keys),
                "maintenance": world.maintenance,
                "requests": _seen(self.traffic),
                "faults": {"profile": self.faults.profile.name, "queued": self.faults.queued},
            }
        )


def _shape(name: str) -> type[Action]:
    if name not in ACTIONS:
        raise UnknownError(f"no such action; there are {', '.join(ACTIONS)}")
    return ACTIONS[name]


def _seen(traffic: Traffic) -> dict[str, object]:
    return {
        "count": traffic.count,
        "last_method": traffic.last_method,
        "last_path": traffic.last_path,
        "last_headers": traffic.last_headers,
    }


def _shown(machine: Machine) -> dict[str, object]:
    return {
        "id": machine.id,
        "uuid": machine.uuid,
        "name": machine.name,
        "state": machine.state,
        "vanished": machine.vanished,
        "price": machine.price,
        "reserved": machine.reserved,
        "spent": machine.spent,
        "next_billing_at": machine.next_billing_at,
        "top_ups_fail": machine.top_ups_fail,
        "ports": [str(port) for port in machine.ports],
    }
