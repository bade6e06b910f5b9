"""A simulated Fluence API, for the demo and the tests.

    world.py        the engine: an account, its VMs, its money; pure and deterministic
    groups.py       open ports that several VMs may share
    dialects/       views of the world, one file or folder a generation of the API
    faults.py       which faults occur, and when; spoil.py and inject.py apply them
    actions.py      events as data; control.py and scenario.py trigger them
    server.py       all of it behind a real socket

It shares no code with the client that it tests: the two meet on the wire.
"""

from fluence_watch.simulator.access import AcceptedAuth
from fluence_watch.simulator.clock import Clock, SettableClock, utc_now
from fluence_watch.simulator.dialects import DIALECTS
from fluence_watch.simulator.dialects.v2 import fleet_payload
from fluence_watch.simulator.faults import PROFILES, Fault, FaultKind, FaultPlan, Profile
from fluence_watch.simulator.fleet import build_world
from fluence_watch.simulator.scenario import perform
from fluence_watch.simulator.server import create_app, running, serve
from fluence_watch.simulator.world import World

__all__ = [
    "DIALECTS",
    "PROFILES",
    "AcceptedAuth",
    "Clock",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "Profile",
    "SettableClock",
    "World",
    "build_world",
    "create_app",
    "fleet_payload",
    "perform",
    "running",
    "serve",
    "utc_now",
]
