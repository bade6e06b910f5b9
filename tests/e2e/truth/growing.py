"""A fleet grows by many VMs at once, which are deleted some days later."""

from fluence_watch.simulator.catalog import CONFIGURATIONS, Configuration
from tests.e2e.truth.fleet import Account
from tests.e2e.truth.happenings import Happening, Scene, Steps, lasts, touch
from tests.e2e.truth.plan import DAY, HOUR

_SMALL, _LARGE = CONFIGURATIONS[2], CONFIGURATIONS[-1]


def growth(scene: Scene, account: Account) -> Steps:
    """A fleet grows a little."""
    yield from _grows(scene, account, _SMALL, 0.15, "a fleet grows")


def burst(scene: Scene, account: Account) -> Steps:
    """A fleet costs twice as much for some days."""
    yield from _grows(scene, account, _LARGE, account.random.uniform(0.8, 1.3), "a fleet doubles")


def _grows(scene: Scene, account: Account, size: Configuration, share: float, what: str) -> Steps:
    """VMs are made for that share of what all cost, until the user deletes them by `vm rm`."""
    if what in account.busy:
        return
    world, count = account.world, int(share * account.burn / size.price) + 1
    made = [world.deploy(f"job-{next(account.names)}", size) for _ in range(count)]
    account.busy |= {what, *(each.key for each in made)}
    account.touched |= dict.fromkeys((each.key for each in made), world.now)
    touch(account, "", what)
    yield lasts(account, 20 * HOUR, 3 * DAY)
    for each in made:
        scene.removed(account, each.key)
        world.delete(each.id)
    account.busy.discard(what)


GROWING: dict[Happening, float] = {growth: 0.1, burst: 0.08}
"""How often each begins in an account that pays by the epoch, a day."""
