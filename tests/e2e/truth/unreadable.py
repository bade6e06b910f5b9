"""What the list does not tell of a VM: its whole element, its price, or all of its money."""

from tests.e2e.truth.bending import Bend
from tests.e2e.truth.fleet import Account
from tests.e2e.truth.happenings import Happening, Scene, Steps, lasts, touch
from tests.e2e.truth.plan import HOUR, MINUTE

_KNOWN_FOR = 12 * HOUR


def unreadable(_: Scene, account: Account) -> Steps:
    """The element of a VM cannot be read; now and then it leaves the list meanwhile."""
    yield from _bent(account, Bend.UNREADABLE, "a VM is unreadable")


def priceless(_: Scene, account: Account) -> Steps:
    """The price of a VM is not told."""
    yield from _bent(account, Bend.PRICELESS, "no price is told")


def moneyless(_: Scene, account: Account) -> Steps:
    """Nothing is told of the money of a VM."""
    yield from _bent(account, Bend.MONEYLESS, "no money is told")


def _bent(account: Account, how: Bend, what: str) -> Steps:
    machine, now = account.free(), account.world.now
    if machine is None or now - machine.created_at < _KNOWN_FOR:
        return
    account.busy.add(machine.key)
    account.bent[machine.key] = how
    touch(account, machine.key, what)
    yield lasts(account, 2 * MINUTE, 5 * HOUR)
    if account.random.random() < 1 / 3:
        account.world.vanish(machine.id)
        yield lasts(account, 2 * MINUTE, 5 * HOUR)
        account.world.bring_back(machine.id)
        touch(account, machine.key)
        yield lasts(account, 2 * MINUTE, 3 * HOUR)
    del account.bent[machine.key]
    touch(account, machine.key)
    yield 2 * HOUR
    account.busy.discard(machine.key)


UNREADABLE: dict[Happening, float] = {unreadable: 0.9, priceless: 0.5, moneyless: 0.5}
"""How often each begins in an account that pays by the epoch, a day."""
