"""Settings that are right one by one, and wrong or doubtful together."""

from collections.abc import Callable, Iterable

import pytest

from fluence_watch import rules
from fluence_watch.errors import ConfigError, Problem
from fluence_watch.settings import WatchSettings
from fluence_watch.settings.checks import (
    CHECKS,
    accounts,
    alertmanagers,
    budgets,
    digests,
    escalation,
    heartbeat,
    inhibiting,
    muting,
    receivers,
    record,
    server,
    timing,
)
from fluence_watch.settings.checks.doubt import Doubt

Load = Callable[..., WatchSettings]
Check = Callable[[WatchSettings], Iterable[Doubt]]

ACCOUNT = '[[accounts]]\napi_key = "k"\n'
CLUSTER = '[[receivers]]\nname = "am"\nalertmanager = ["http://a"]\n'
OPS = '[[receivers]]\nname = "ops"\nurl = "json://h"\n'
BOTH = ACCOUNT + OPS
BUDGET = '[[budgets]]\nname = "b"\nmonthly_usdc = 5\n'
SECOND = '[[accounts]]\nname = "b"\napi_key = "l"\n'
NOBODY = "there are no [[receivers]], and FLUENCE_WATCH_NOTIFY_URLS is not set: nobody is notified"
RULES = f"there are: {', '.join(rule.name for rule in rules.RULES)}"
DISABLED = "".join(
    f"[rules.{name}]\nenabled = false\n" for name in RULES.removeprefix("there are: ").split(", ")
)

PAGER = '[[receivers]]\nname = "pager"\nurl = "json://pager"\n'
TO_PAGER = 'escalate_after = "1h"\nescalate_to = "pager"\n'
TO_OPS = TO_PAGER.replace("pager", "ops")
SIGNED = f'[server]\naction_secret = "{"s" * 32}"\n'
DIGEST = '[[digests]]\nreceiver = "ops"\n'
NIGHTLY = '[[maintenance]]\nname = "nightly"\nmatch = ["vm=db"]\nschedule = "0 2 * * *"\nduration = "2h"\n'

INHIBIT = '[[inhibit]]\nsource = ["rule=vm_status", "vm=proxy"]\ntarget = ["rule=port_drift"]\n'

ERRORS: list[tuple[Check, str, int | None, str, str]] = [
    (accounts.some_account, OPS, None, "accounts",
     "no account to watch: add [[accounts]] to the file, or set FLUENCE_WATCH_API_KEY"),
    (accounts.names_differ, BOTH + '[[accounts]]\nname = "main"\napi_key = "l"\n', 7, "accounts[1].name",
     "'main' is already the name of accounts[0]"),
    (accounts.names_differ, '[[accounts]]\nname = "fluence-watch"\napi_key = "k"\n' + OPS, 2, "accounts[0].name",
     "fluence-watch names the watcher itself in metrics and messages: choose another"),
    (accounts.keys_are_usable, '[[accounts]]\napi_key = "two words"\n' + OPS, 2, "accounts[0].api_key",
     "the API key has a blank, a control or a non-ASCII character: no HTTP header carries it"),
    (receivers.names_differ, BOTH + '[[receivers]]\nurl = "json://i"\nname = "ops"\n', 8, "receivers[1].name",
     "'ops' is already the name of receivers[0]"),
    (budgets.names_differ, BOTH + BUDGET + BUDGET, 10, "budgets[1].name", "'b' is already the name of budgets[0]"),
    (receivers.urls_are_usable, ACCOUNT + '[[receivers]]\nname = "ops"\nurl = "ftp://h"\n', 5, "receivers[0].url",
     "Apprise cannot use this 'ftp' URL: write one URL, as Apprise's page on that service shows it"),
    (receivers.globs_match, BOTH + 'rules = ["low_blance", "*"]\n', 6, "receivers[0].rules",
     "'low_blance' matches no rule; did you mean 'low_balance'?"),
    (receivers.globs_match, BOTH + 'rules = ["quite_else"]\n', 6, "receivers[0].rules",
     f"'quite_else' matches no rule; {RULES}"),
    (receivers.globs_match, BOTH + 'rules = ["low_*, vm_*"]\n', 6, "receivers[0].rules",
     '\'low_*, vm_*\' is one glob with a comma in it, and matches no rule: write ["low_*", "vm_*"]'),
    (receivers.globs_match, BOTH + 'accounts = ["mian"]\n', 6, "receivers[0].accounts",
     "'mian' matches no account; did you mean 'main'?"),
    (alertmanagers.urls_are_usable, ACCOUNT + CLUSTER.replace("//a", "//"), 5, "receivers[0].alertmanager",
     "number 1 is no URL of an Alertmanager: write http:// or https://, a host, and a port, such as http://am-1:9093"),
    (alertmanagers.digests_go_elsewhere, ACCOUNT + CLUSTER + '[[digests]]\nreceiver = "am"\n', 7, "digests[0].receiver",
     "'am' is an Alertmanager, which takes no messages: name another receiver"),
    (alertmanagers.escalations_go_elsewhere, BOTH + 'escalate_after = "1h"\nescalate_to = "am"\n' + CLUSTER, 7, "receivers[0].escalate_to",
     "'am' is an Alertmanager, which gets what its own route takes: name another receiver"),
    (escalation.receivers_exist, BOTH + 'escalate_after = "1h"\nescalate_to = "pagger"\n' + PAGER, 7, "receivers[0].escalate_to",
     "there is no receiver 'pagger'; did you mean 'pager'?"),
    (escalation.receivers_exist, BOTH + 'escalate_after = "1h"\nescalate_to = "x"\n' + PAGER, 7, "receivers[0].escalate_to",
     "there is no receiver 'x'; there are: ops, pager"),
    (escalation.receivers_exist, BOTH + 'escalate_to = "pager"\n' + PAGER, 6, "receivers[0].escalate_to",
     "nothing is escalated: say after which time in escalate_after"),
    (escalation.receivers_exist, BOTH + 'escalate_after = "1h"\n' + PAGER, 6, "receivers[0].escalate_after",
     "nothing is escalated: say to which receiver in escalate_to"),
    (escalation.nothing_goes_in_circles, BOTH + TO_OPS, 7, "receivers[0].escalate_to", "escalates in a circle: ops → ops"),
    (escalation.nothing_goes_in_circles, BOTH + TO_PAGER + PAGER + TO_OPS, 7, "receivers[0].escalate_to",
     "escalates in a circle: ops → pager → ops"),
    (escalation.nothing_goes_in_circles, BOTH + TO_PAGER + PAGER + TO_PAGER, 12, "receivers[1].escalate_to",
     "escalates in a circle: pager → pager"),
    (digests.receivers_exist, BOTH + '[[digests]]\nreceiver = "opps"\n', 7, "digests[0].receiver",
     "there is no receiver 'opps'; did you mean 'ops'?"),
    (digests.receivers_exist, BOTH + '[[digests]]\nreceiver = "quite-else"\n', 7, "digests[0].receiver",
     "there is no receiver 'quite-else'; there are: ops"),
    (digests.digests_differ, BOTH + DIGEST + DIGEST + 'schedule = "0  8 * * 1-5"\n', 10, "digests[1].schedule",
     "the same receiver, schedule and timezone as digests[0]"),
    (muting.names_differ, BOTH + NIGHTLY + NIGHTLY, 12, "maintenance[1].name",
     "'nightly' is already the name of maintenance[0]"),
    (muting.matchers_match, BOTH + 'match = ["vm=a", "rule=low_blance"]\n', 6, "receivers[0].match",
     "rule=\"low_blance\" matches no rule; did you mean 'low_balance'?"),
    (muting.matchers_match, BOTH + "match = ['rule=~\"quite|else\"']\n", 6, "receivers[0].match",
     f'rule=~"quite|else" matches no rule; {RULES}'),
    (muting.matchers_match, BOTH + NIGHTLY.replace("vm=db", "severity=urgent"), 8, "maintenance[0].match",
     'severity="urgent" matches no severity; there are: info, warning, critical'),
    (muting.matchers_match, BOTH + '[[inhibit]]\nsource = ["rule=debt"]\ntarget = ["rule=dept"]\n', 8, "inhibit[0].target",
     "rule=\"dept\" matches no rule; did you mean 'debt'?"),
    (timing.charges_are_seen, BOTH + '[poll]\ninterval = "1h"\n', 7, "poll.interval",
     "billing_due misses charges: 1h between polls, lead_time 1h; make poll.interval the shorter, or disable the rule"),
    (timing.charges_are_seen, BOTH + '[rules.billing_due]\nlead_time = "50s"\n', 7, "rules.billing_due.lead_time",
     "billing_due misses charges: 60s between polls, lead_time 50s; make poll.interval the shorter, or disable the rule"),
    (timing.charges_are_seen, BOTH + '[rules.billing_due]\nfor = "1h"\n', 7, "rules.billing_due.for",
     "billing_due never fires in time: the charge comes within lead_time (1h)"),
    (timing.missing_is_confirmed, BOTH + '[rules.vm_vanished]\nsuspect_for = "1s"\nforget_after = "100s"\n', 8, "rules.vm_vanished.forget_after",
     "vm_vanished never fires: a missing VM is forgotten after 100s, before it is confirmed: 2 polls, 60s apart"),
    (timing.missing_is_confirmed, BOTH + '[rules.vm_vanished]\nfor = "7d"\n', 7, "rules.vm_vanished.for",
     "vm_vanished never fires: a missing VM is forgotten after 7d, before it is confirmed: 2 polls, 60s apart, and 7d"),
    (timing.funds_end_in_steps, BOTH + '[rules.funds_exhausted_soon]\nwarn = "12h"\n', 7, "rules.funds_exhausted_soon.warn",
     "critical (24h) is longer than warn (12h): make it no longer"),
    (server.secret_is_usable, BOTH + '[server]\nexternal_url = "https://a"\naction_secret = "short"\n', 8, "server.action_secret",
     "is shorter than 32 characters: make one with `openssl rand -hex 32`"),
    (server.links_lead_somewhere, BOTH + SIGNED, 7, "server.action_secret",
     "is without an external_url: links need an address that people reach"),
]  # fmt: skip

NOTES: list[tuple[Check, str, int | None, str, str]] = [
    (receivers.some_receiver, ACCOUNT, None, "receivers", NOBODY),
    (accounts.keys_differ, BOTH + '[[accounts]]\nname = "b"\napi_key = "k"\n', 8, "accounts[1].api_key",
     "the same API key as accounts[0]: its VMs are watched twice, and every alert is sent twice"),
    (accounts.keys_travel_encrypted, ACCOUNT + 'base_url = "http://api.fluence.dev"\n' + OPS, 3, "accounts[0].base_url",
     "http sends the API key unencrypted: write https"),
    (accounts.epochs_count, ACCOUNT + 'epoch = "1h"\n' + OPS, 3, "accounts[0].epoch",
     "this API bills every 24h; other values are for the simulator"),
    (accounts.epochs_count, ACCOUNT + 'epoch = "5m"\ndialect = "cloud"\n' + OPS, 3, "accounts[0].epoch",
     "without effect: in cloud the billing period is always 1h"),
    (accounts.expectations_apply, BOTH + '[[expect]]\nvm = "*"\nports = []\naccount = "prod-*"\n', 9, "expect[0].account",
     "'prod-*' matches no account; there are: main"),
    (accounts.expectations_apply, BOTH + '[[expect]]\nvm = "*"\nports = []\n[[expect]]\nvm = "web-*"\nports = []\n', 10, "expect[1].vm",
     "never used: expect[0] covers the same VMs and comes first"),
    (muting.matchers_match, BOTH + 'match = ["account=mian"]\n', 6, "receivers[0].match",
     "account=\"mian\" matches no account; did you mean 'main'?"),
    (muting.matchers_match, BOTH + 'match = ["rule!=dept"]\n', 6, "receivers[0].match",
     "rule!=\"dept\" excludes no rule; did you mean 'debt'?"),
    (muting.maintenance_ends, BOTH + NIGHTLY.replace("2h", "24h"), 10, "maintenance[0].duration",
     "always on: it lasts 24h, and begins again within 24h"),
    (muting.receivers_match, BOTH + 'rules = ["debt"]\nmatch = ["rule=budget"]\n', 7, "receivers[0].match",
     "never notified: no rule fits both this and rules"),
    (muting.receivers_match, BOTH + 'min_severity = "critical"\nmatch = ["severity!=critical"]\n', 7, "receivers[0].match",
     "never notified: no severity fits both this and min_severity"),
    (muting.receivers_match, BOTH + SECOND + '[[receivers]]\nname = "b"\nurl = "json://i"\naccounts = ["b"]\nmatch = ["account=main"]\n', 13, "receivers[1].match",
     "never notified: no account fits both this and accounts"),
    (budgets.something_counts, BOTH + BUDGET + 'accounts = ["mian", "m*"]\n', 9, "budgets[0].accounts",
     "'mian' matches no account; did you mean 'main'?"),
    (budgets.something_counts, BOTH + BUDGET + "vms = []\n", 9, "budgets[0].vms", "an empty list: nothing counts"),
    (budgets.something_is_told, BOTH + BUDGET + "thresholds = []\nforecast = false\n", 9, "budgets[0].thresholds",
     "nothing is notified: it has no thresholds and no forecast"),
    (budgets.something_is_told, BOTH + BUDGET + "[rules.budget]\nenabled = false\n", 10, "rules.budget.enabled",
     "nobody is notified of budgets: the rule is disabled"),
    (budgets.firing_ends_with_the_month, BOTH + BUDGET + '[rules.budget]\nkeep_firing_for = "1h"\n', 10, "rules.budget.keep_firing_for",
     "without effect: it fires until the month is over"),
    (receivers.urls_differ, BOTH + OPS.replace("ops", "b"), 8, "receivers[1].url",
     "the same URL as receivers[0]: what both receive arrives twice"),
    (receivers.globs_match, BOTH + "rules = []\n", 6, "receivers[0].rules", "an empty list: this receiver is never notified"),
    (receivers.globs_match, BOTH + "accounts = []\n", 6, "receivers[0].accounts",
     "an empty list: this receiver is only notified of fluence-watch itself and budgets"),
    (receivers.globs_match, BOTH + 'accounts = ["main", "gone"]\n', 6, "receivers[0].accounts",
     "'gone' matches no account; there are: main"),
    (receivers.nothing_is_muted, BOTH + 'rules = ["low_*", "vm_*"]\n', 6, "receivers[0].rules",
     "topup_failed is reported in place of low_balance: name it too"),
    (receivers.something_is_sent, BOTH + 'rules = ["public_ip_changed"]\nmin_severity = "warning"\n', 7, "receivers[0].min_severity",
     "never notified: each of its rules is disabled or below warning"),
    (receivers.budgets_are_heard_of, BOTH + 'rules = ["vm_*"]\n' + BUDGET, 6, "receivers[0].rules",
     "no receiver takes the rule budget: nobody is notified of budgets"),
    (alertmanagers.passwords_travel_encrypted, ACCOUNT + CLUSTER.replace("//a", "//u:s3cret@am.example.com"), 5, "receivers[0].alertmanager",
     "http sends the password unencrypted: write https"),
    (alertmanagers.its_settings_are_its_own, BOTH + 'alertmanager_ca_file = "ca.pem"\n', 6, "receivers[0].alertmanager_ca_file",
     "without effect: it is for an Alertmanager, and this receiver has a url"),
    (alertmanagers.its_settings_are_its_own, BOTH + 'alertmanager_labels = ["a=b"]\n', 6, "receivers[0].alertmanager_labels",
     "without effect: it is for an Alertmanager, and this receiver has a url"),
    *((alertmanagers.its_work_is_its_own, ACCOUNT + CLUSTER + f"{setting}\n", 6, f"receivers[0].{setting.split()[0]}",
       "without effect: Alertmanager does this itself, see its route and receivers")
      for setting in ('repeat_interval = "4h"', 'group_wait = "30s"', 'group_interval = "5m"', "send_resolved = false", 'active = ["Mon-Fri 08:00-18:00"]')),
    (escalation.times_have_an_effect, BOTH + 'timezone = "Europe/Paris"\n', 6, "receivers[0].timezone",
     "without effect: the receiver has no active times"),
    (escalation.times_have_an_effect, BOTH + "critical_at_once = false\n", 6, "receivers[0].critical_at_once",
     "without effect: the receiver has no active times"),
    (receivers.nothing_is_stale, BOTH + '[delivery]\nstale_after = "2h"\n', 7, "delivery.stale_after",
     "without effect: messages are written when they are sent; see delivery.give_up_after"),
    (timing.poll_ends_before_the_next, BOTH + '[poll]\ntimeout = "61s"\n', 7, "poll.timeout",
     "poll.timeout (61s) is longer than poll.interval (60s): a slow poll delays the next"),
    (timing.poll_ends_before_the_next, BOTH + '[poll]\ninterval = "5s"\njitter = "0s"\n', 7, "poll.interval",
     "poll.timeout (10s) is longer than poll.interval (5s): a slow poll delays the next"),
    (timing.poll_ends_before_the_next, BOTH + '[poll]\njitter = "60s"\n', 7, "poll.jitter",
     "poll.jitter (60s) is not shorter than poll.interval (60s): polls are irregular"),
    (timing.polls_keep_up, BOTH + SECOND + '[poll]\nconcurrency = 1\ntimeout = "40s"\n', 10, "poll.concurrency",
     "2 accounts in 2 rounds of up to 40s each take longer than poll.interval (60s) when the API is slow"),
    (timing.some_rule, BOTH + DISABLED, 7, "rules.low_balance.enabled", "all rules are disabled: no alert ever fires"),
    (timing.fleets_are_confirmed, BOTH + '[rules.vm_vanished]\nsuspect_for = "7d"\n', 7, "rules.vm_vanished.suspect_for",
     "a fleet that leaves the list at once is forgotten after 7d, before it counts as vanished: make suspect_for (7d) the shorter"),
    (timing.low_balance_is_early, BOTH + '[rules.low_balance]\nfor = "1d"\n', 7, "rules.low_balance.for",
     "low_balance fires too late: a reserve for 1 charges, one each 24h, is used up before"),
    (timing.low_balance_is_early, BOTH + "[rules.low_balance]\nmin_epochs = 0\n", 7, "rules.low_balance.min_epochs",
     "low_balance fires only if the API itself reports a low balance"),
    (timing.topup_failed_is_early, BOTH + '[rules.topup_failed]\nfor = "24h"\n', 7, "rules.topup_failed.for",
     "topup_failed fires too late: the VM ends at its next charge, 24h after the last"),
    (timing.funds_end_in_steps, BOTH + '[rules.funds_exhausted_soon]\nfor = "3d"\n', 7, "rules.funds_exhausted_soon.for",
     "funds_exhausted_soon fires too late: money that lasts 3d is used up before"),
    (timing.account_low_is_early, BOTH + '[rules.account_low]\nmin_days = 0.5\nfor = "12h"\n', 8, "rules.account_low.for",
     "account_low fires too late: a balance for 0.5 days is used up before"),
    (timing.events_do_not_wait, BOTH + '[rules.price_changed]\nfor = "1h"\n', 7, "rules.price_changed.for",
     "without effect: a change fires at once"),
    (timing.events_do_not_wait, BOTH + '[rules.price_changed]\nkeep_firing_for = "1h"\n', 7, "rules.price_changed.keep_firing_for",
     "without effect: a change does not resolve"),
    (heartbeat.address_is_usable, BOTH + '[heartbeat]\nurl = "http://hc-ping.com/x"\n', 7, "heartbeat.url",
     "http sends the address, a secret, unencrypted: write https"),
    *((heartbeat.somebody_is_called, BOTH + f'[heartbeat]\n{key} = "1h"\n', 7, f"heartbeat.{key}",
       "without effect: nothing is called without url") for key in ("max_outbox_age", "timeout", "min_interval")),
    (inhibiting.sides_differ, BOTH + INHIBIT.replace("port_drift", "vm_status,vm=proxy"), 8, "inhibit[0].target",
     "never mutes: what matches both sides mutes nothing that matches both"),
    (inhibiting.rules_are_enabled, BOTH + INHIBIT + "[rules.port_drift]\nenabled = false\n", 8, "inhibit[0].target",
     "without effect: port_drift is disabled"),
    (inhibiting.rules_are_enabled, BOTH + INHIBIT.replace("vm_status", "overpriced"), 7, "inhibit[0].source",
     "without effect: overpriced is disabled"),
    (inhibiting.labels_are_on_both_sides, BOTH + INHIBIT.replace("port_drift", "debt") + 'equal = ["vm_id", "account", "status"]\n', 9,
     "inhibit[0].equal", "alerts of debt have no vm_id, status: nothing about a VM is equal to them"),
    (record.something_is_recorded, BOTH + '[record]\nmax_age = "10d"\n', 7, "record.max_age",
     "without effect: nothing is recorded without dir"),
    (record.something_is_recorded, BOTH + "[record]\nmax_size_mb = 5\n", 7, "record.max_size_mb",
     "without effect: nothing is recorded without dir"),
    (server.links_travel_encrypted, BOTH + SIGNED + 'external_url = "http://a"\n', 8, "server.external_url",
     "http shows signed links to the network: write https"),
]  # fmt: skip

FINE = [
    BOTH,
    BOTH + 'rules = ["low_*", "topup_failed", "port_drift"]\naccounts = ["m*"]\n' + SECOND,
    BOTH + '[rules.billing_due]\nenabled = false\n[poll]\ninterval = "4h"\n',
    BOTH + '[rules.vm_vanished]\nenabled = false\nforget_after = "0s"\n',
    BOTH + 'rules = ["port_drift"]\nmin_severity = "critical"\n',
    BOTH + 'rules = ["vm_status"]\nmin_severity = "critical"\n',
    BOTH + 'rules = ["debt", "funds_exhausted_soon"]\nmin_severity = "critical"\n',
    BOTH
    + 'rules = ["account_low"]\nmin_severity = "critical"\n'
    + "[rules.funds_exhausted_soon]\nenabled = false\n[rules.debt]\nenabled = false\n",
    BOTH
    + 'rules = ["topup_failed"]\nmin_severity = "critical"\n[rules.topup_failed]\nseverity = "info"\n',
    BOTH + 'rules = ["budget"]\nmin_severity = "critical"\n' + BUDGET,
    BOTH + BUDGET + 'accounts = ["m*"]\nthresholds = [100, 20, 100]\n',
    BOTH + NIGHTLY + NIGHTLY.replace("nightly", "weekly").replace("* * *", "* * 0"),
    BOTH + NIGHTLY.replace("2h", "30h").replace("* * *", "* * 1-5"),
    BOTH
    + 'accounts = ["main"]\nmatch = ["account=fluence-watch", "status!=running", "rule=~.+"]\n',
    BOTH + "[rules.account_low]\nmin_days = 0\n",
    BOTH + "rules = []\n" + DIGEST + DIGEST + 'schedule = "0 8 1 * *"\ntimezone = "Europe/Paris"\n',
    ACCOUNT + 'dialect = "cloud"\n' + OPS + '[poll]\ninterval = "1h"\n',
    ACCOUNT + 'base_url = "http://127.0.0.1:9825"\nepoch = "1h"\n' + OPS,
    ACCOUNT + 'base_url = "http://simulator:9825"\n' + OPS,
    ACCOUNT + '[[accounts]]\nname = "b"\napi_key = "k"\nbase_url = "https://other.example"\n' + OPS,
    BOTH + SIGNED + 'external_url = "https://a/fw/"\n',
    BOTH + '[[expect]]\nvm = "web-*"\nports = []\n[[expect]]\nvm = "*"\nports = []\n',
    BOTH + TO_PAGER + PAGER + "rules = []\n",
    BOTH + INHIBIT + 'equal = ["vm_id"]\n',
    BOTH + INHIBIT.replace("port_drift", "vm_status"),
    BOTH + INHIBIT.replace('"rule=port_drift"', "'rule=~\".*_changed\"'") + 'equal = ["vm_id"]\n',
    BOTH + INHIBIT.replace("rule=port_drift", "severity!=critical") + 'equal = ["vm_id"]\n',
    BOTH + '[record]\ndir = "record"\nmax_age = "10d"\n',
    BOTH + TO_PAGER + PAGER + "accounts = []\n",
    BOTH + TO_PAGER + PAGER + 'rules = ["public_ip_changed"]\nmin_severity = "critical"\n',
    BOTH + 'active = ["08:00-18:00"]\ntimezone = "Europe/Paris"\ncritical_at_once = false\n',
]


@pytest.mark.parametrize(("check", "text", "line", "where", "what"), ERRORS)
def test_what_can_never_work(
    load: Load, check: Check, text: str, line: int | None, where: str, what: str
) -> None:
    """It is an error, at the key that the user has set."""
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert (Problem(where, what, "config.toml", line),) == caught.value.problems
    assert () == caught.value.notes
    assert check in CHECKS


@pytest.mark.parametrize(("check", "text", "line", "where", "what"), NOTES)
def test_what_is_doubtful(
    load: Load, check: Check, text: str, line: int | None, where: str, what: str
) -> None:
    """It is a note beside settings that can be used."""
    settings = load(text)

    assert (Problem(where, what, "config.toml", line),) == settings.notes
    assert check in CHECKS


@pytest.mark.parametrize("text", FINE)
def test_what_looks_odd_and_is_fine(load: Load, text: str) -> None:
    """Nothing is said of it."""
    assert () == load(text).notes


def test_every_check_finds_something() -> None:
    """A check without an example does not count."""
    assert set(CHECKS) == {row[0] for row in ERRORS + NOTES}


def test_nothing_hides_anything(load: Load) -> None:
    """Wrong values, missing and unknown keys, bad secrets, names and conflicts are found together."""
    text = """\
[poll]
interval = "soon"
timeout = "2h"
[rules.vm_vanished]
forget_after = "1s"
[rules.billing_due]
for = "2h"
colour = 1
[[accounts]]
api_key = ""
epoch = "x"
[[accounts]]
api_key = "k"
base_url = "fluence"
[[receivers]]
url = "bad://t0p-secret"
[[receivers]]
name = "ops"
url = "json://h"
rules = ["low_*,vm_*", 5]
accounts = ["prod"]
[[receivers]]
name = "ops"
urll = "json://i"
"""
    with pytest.raises(ConfigError) as caught:
        load(text, EXPECT__WEB__VM="web-*", LOG__LEVEL="loud")

    assert [
        (2, "poll.interval"),
        (7, "rules.billing_due.for"),
        (8, "rules.billing_due.colour"),
        (10, "accounts[0].api_key"),
        (11, "accounts[0].epoch"),
        (12, "accounts[1].name"),
        (14, "accounts[1].base_url"),
        (15, "receivers[0].name"),
        (16, "receivers[0].url"),
        (20, "receivers[1].rules[1]"),
        (21, "receivers[1].accounts"),
        (23, "receivers[2].name"),
        (24, "receivers[2].urll"),
        (None, "expect[0].ports"),
        (None, "log.level"),
    ] == sorted(
        ((problem.line, problem.where) for problem in caught.value.problems),
        key=lambda pair: (pair[0] or 99, pair[1]),
    )
    assert [(5, "rules.vm_vanished.forget_after")] == [
        (note.line, note.where) for note in caught.value.notes
    ]


def test_lists_of_the_environment(load: Load) -> None:
    """Blanks and commas separate them."""
    settings = load(
        BOTH + SECOND,
        RECEIVERS__OPS__RULES="low_*,vm_*  port_drift ,",
        RECEIVERS__OPS__ACCOUNTS="main,b",
        EXPECT__WEB__VM="web-*",
        EXPECT__WEB__PORTS="22/tcp,443/tcp",
    )

    assert ("low_*", "vm_*", "port_drift") == settings.receivers[0].rules
    assert ("main", "b") == settings.receivers[0].accounts
    assert ["22/tcp", "443/tcp"] == [str(port) for port in settings.expect[0].ports]


def test_notes_name_the_variable(load: Load) -> None:
    """A doubtful value of the environment is named as such."""
    (note,) = load(BOTH, POLL__TIMEOUT="2m").notes
    assert "environment, FLUENCE_WATCH_POLL__TIMEOUT" == note.source
