"""Checks on accounts and on the expectations of their VMs."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address

from fluence_watch.model.billing import EPOCH
from fluence_watch.model.finding import WATCHER, shown_account
from fluence_watch.settings.checks.doubt import (
    Doubt,
    error,
    matching,
    names,
    note,
    same_names,
    same_secrets,
    secret,
    unmatched,
    unusable,
)
from fluence_watch.settings.environment import PREFIX, Loc
from fluence_watch.settings.model import WatchSettings
from fluence_watch.settings.secrets import check_api_key


def some_account(settings: WatchSettings) -> Iterator[Doubt]:
    """There is at least one account."""
    if not settings.accounts:
        add = f"add [[accounts]] to the file, or set {PREFIX}API_KEY"
        yield error(f"no account to watch: {add}", ("accounts",))


def names_differ(settings: WatchSettings) -> Iterator[Doubt]:
    """Account names are unique and differ from the watcher's own name."""
    yield from same_names("accounts", [account.name for account in settings.accounts])
    for number, account in enumerate(settings.accounts):
        if account.name == shown_account(WATCHER):
            what = (
                f"{account.name} names the watcher itself in metrics and messages: choose another"
            )
            yield error(what, ("accounts", number, "name"))


def keys_are_usable(settings: WatchSettings) -> Iterator[Doubt]:
    """Each account has one key that a request can carry."""
    return unusable("accounts", "api_key", settings.accounts, lambda each: check_api_key(each.key))


def keys_differ(settings: WatchSettings) -> Iterator[Doubt]:
    """No account is watched twice."""
    seen = [(secret(account, "key"), account.url) for account in settings.accounts]
    effect = "its VMs are watched twice, and every alert is sent twice"
    return same_secrets("accounts", "api_key", seen, "API key", effect)


def keys_travel_encrypted(settings: WatchSettings) -> Iterator[Doubt]:
    """The API key crosses the open network only encrypted."""
    for number, account in enumerate(settings.accounts):
        if account.base_url.scheme == "http" and not is_near(account.base_url.host or ""):
            what = "http sends the API key unencrypted: write https"
            yield note(what, ("accounts", number, "base_url"))


def is_near(host: str) -> bool:
    """Whether the host is this machine, on a private network, or a neighbouring container."""
    try:
        return ip_address(host.strip("[]")).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))


def epochs_count(settings: WatchSettings) -> Iterator[Doubt]:
    """A billing period is set only where it has an effect."""
    for number, account in enumerate(settings.accounts):
        where: Loc = ("accounts", number, "epoch")
        if account.epoch == EPOCH:
            continue
        if account.dialect == "cloud" and account.epoch != timedelta(hours=1):
            yield note("without effect: in cloud the billing period is always 1h", where)
        elif account.dialect in {"v2", "v3"} and account.base_url.host == "api.fluence.dev":
            yield note("this API bills every 24h; other values are for the simulator", where)


def expectations_apply(settings: WatchSettings) -> Iterator[Doubt]:
    """Each expectation names an existing account, and VMs that no earlier one covers."""
    accounts = [account.name for account in settings.accounts]
    for number, entry in enumerate(settings.expect):
        if accounts and not matching((entry.account,), accounts):
            what = unmatched("account", entry.account, accounts)
            yield note(what, ("expect", number, "account"), *names("accounts", accounts))
        for before, other in enumerate(settings.expect[:number]):
            if other.vm in {"*", entry.vm} and other.account in {"*", entry.account}:
                what = f"never used: expect[{before}] covers the same VMs and comes first"
                yield note(what, ("expect", number, "vm"), ("expect", before, "vm"))
                break
