"""From settings to the parts of the program. The only place that builds adapters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import random
from typing import TYPE_CHECKING, TypeVar, cast

from fluence_watch.alerting.escalation import Escalation
from fluence_watch.alerting.grouping import Rank
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import Mutes
from fluence_watch.app.clock import Clock
from fluence_watch.app.decide import Policy
from fluence_watch.app.policies import policies
from fluence_watch.errors import ConfigError, NotifyError, Problem
from fluence_watch.fluence import ClientConfig, FluenceClient, RequestRecord
from fluence_watch.fluence.http.session import tls_context
from fluence_watch.metrics.own import OwnMetrics
from fluence_watch.notify.shipped import SHIPPED, Words
from fluence_watch.rules import RULES
from fluence_watch.settings import (
    AccountSettings,
    HeartbeatSettings,
    ReceiverSettings,
    ServerSettings,
    WatchSettings,
)

if TYPE_CHECKING:
    from fluence_watch.app.digest_plan import DigestPlan
    from fluence_watch.app.heartbeat import Plan
    from fluence_watch.notify.alertmanager.cluster import Cluster
    from fluence_watch.notify.delivery import Attempted, Channel, Delivery

T = TypeVar("T")

_MIB = 2**20

RANKS = {rule.name: Rank(rule.impact, rule.event, rule.deadline) for rule in RULES}
"""How the alerts of each rule stand in a message, by its name."""
EVENTS = frozenset(rule.name for rule in RULES if rule.event)
"""The rules that report events."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The parts that the settings ask for, checked and not started; keyed by name.

    `routes` and `receivers` have the same keys. `clusters` are the receivers that are Alertmanagers.
    `escalations` has those to a receiver.
    `digests` are keyed by `DigestSettings.key`.
    """

    settings: WatchSettings
    policies: Mapping[str, Policy]
    clients: Mapping[str, ClientConfig]
    receivers: Mapping[str, "Channel"]
    routes: Mapping[str, Route]
    digests: Mapping[str, "DigestPlan"] = field(default_factory=dict)
    heartbeat: "Plan | None" = None
    words: Words = SHIPPED
    clusters: Mapping[str, "Cluster"] = field(default_factory=dict)
    mutes: Mutes = field(default_factory=Mutes)
    escalations: Mapping[str, tuple[Escalation, ...]] = field(default_factory=dict)


def prepare(settings: WatchSettings) -> Setup:
    """Make the setup for the settings.

    Raises:
        ConfigError: parts of it cannot be made; it lists them all.
    """
    trial = _Trial()
    clients = {
        account.name: trial.of(f"accounts[{number}]", partial(_client_config, account, settings))
        for number, account in enumerate(settings.accounts)
    }
    clusters = {
        receiver.name: trial.of(
            f"receivers[{number}]", partial(_cluster, receiver, settings.server.base)
        )
        for number, receiver in enumerate(settings.receivers)
        if receiver.is_alertmanager
    }
    receivers = clusters | {
        receiver.name: trial.of(f"receivers[{number}]", partial(_channel, receiver))
        for number, receiver in enumerate(settings.receivers)
        if not receiver.is_alertmanager
    }
    heartbeat = trial.of("heartbeat.url", partial(_heartbeat, settings.heartbeat))
    words = trial.of("templates.dir", partial(read_words, settings.templates.dir))
    if trial.problems:
        raise ConfigError(settings.placed(trial.problems))
    asked = policies(settings)
    return Setup(
        settings,
        asked.accounts,
        clients,
        receivers,
        asked.routes,
        _digests(settings, asked.accounts),
        heartbeat,
        _linked(words, settings.server),
        clusters,
        asked.mutes,
        asked.escalations,
    )


@dataclass(slots=True)
class _Trial:
    """Makes parts, and collects why some cannot be made. Then what it returned is of no use."""

    problems: list[Problem] = field(default_factory=list)

    def of(self, where: str, make: Callable[[], T]) -> T:
        """The part of the setting."""
        try:
            return make()
        except ConfigError as error:
            self.problems += error.problems
        except (NotifyError, ValueError) as error:
            self.problems.append(Problem(where, str(error)))
        return cast("T", None)


def _channel(receiver: ReceiverSettings) -> "Channel":
    from fluence_watch.notify.receiver import parse_receiver  # noqa: PLC0415 - see `delivery`

    return parse_receiver(receiver.name, receiver.apprise_url)


def _cluster(receiver: ReceiverSettings, base: str) -> "Cluster":
    from fluence_watch.notify.alertmanager.cluster import (  # noqa: PLC0415 - only with a cluster
        make_cluster,
    )

    return make_cluster(
        receiver.name,
        receiver.alertmanager_urls,
        receiver.alertmanager_ca_file,
        receiver.extra_labels,
        base,
    )


def read_words(folder: Path | None) -> Words:
    """The shipped words, or those that the templates in the folder make of them.

    Raises:
        ConfigError: the templates cannot be used.
    """
    if folder is None:
        return SHIPPED
    from fluence_watch.notify.custom import UserWords  # noqa: PLC0415 - only with templates
    from fluence_watch.notify.overrides import read_overrides  # noqa: PLC0415 - only with templates

    found = read_overrides(folder)
    return UserWords(found) if found else SHIPPED


def _linked(words: Words, server: ServerSettings) -> Words:
    if not server.base:
        return words
    from fluence_watch.notify.links import LinkedWords, Links  # noqa: PLC0415 - only with links

    return LinkedWords(words, Links(server.base, server.secret))


def _digests(settings: WatchSettings, policies: Mapping[str, Policy]) -> Mapping[str, "DigestPlan"]:
    if not settings.digests:
        return {}
    from fluence_watch.app.digest_plan import plans  # noqa: PLC0415 - only with digests

    prepaid = {name: policy.billing for name, policy in policies.items()}
    return {plan.key: plan for plan in plans(settings, prepaid, EVENTS)}


def _heartbeat(settings: HeartbeatSettings) -> "Plan | None":
    """Whom the heartbeat calls, and when; `None` if it is not set."""
    if not settings.enabled:
        return None
    from fluence_watch.app.heartbeat import Plan  # noqa: PLC0415 - only with a heartbeat
    from fluence_watch.notify.heartbeat import HeartbeatService  # noqa: PLC0415 - only with a heartbeat

    address = settings.address
    tls = tls_context(trusting=address.lower().startswith("https:"))
    service = HeartbeatService(address, settings.timeout.total_seconds(), tls)
    return Plan(service, settings.max_outbox_age, settings.min_interval)


def _client_config(account: AccountSettings, settings: WatchSettings) -> ClientConfig:
    return ClientConfig(
        api_key=account.key,
        base_url=account.url,
        dialect=account.dialect,
        auth=account.auth,
        gpu=account.gpu,
        timeout=settings.poll.timeout.total_seconds(),
        max_body_bytes=settings.poll.max_body_mb * _MIB,
    )


def connect(
    account: str, config: ClientConfig, clock: Clock, own: OwnMetrics | None = None
) -> FluenceClient:
    """A client for the account, whose requests are counted where there are metrics."""
    return FluenceClient(config, now=clock, on_request=_counting(account, own))


def _counting(account: str, own: OwnMetrics | None) -> Callable[[RequestRecord], None]:
    def count(record: RequestRecord) -> None:
        if own is not None:
            own.request(account, record.endpoint, record.seconds, record.failure)

    return count


def delivery(
    channel: "Channel", store: "Attempted", own: OwnMetrics, clock: Clock, words: Words = SHIPPED
) -> "Delivery":
    """The delivery to the receiver."""
    from fluence_watch.notify.delivery import Delivery  # noqa: PLC0415 - only with receivers

    return Delivery(channel, store, own, now=clock, jitter=random, ranks=RANKS, words=words)
