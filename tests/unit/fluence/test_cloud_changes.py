"""What `cloud` changes, and what it tells of the account."""

import json
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from fluence_watch.errors import RefusedError, ServerError, UnexpectedPayloadError
from fluence_watch.fluence import AccountBalance, FluenceClient
from fluence_watch.model.ports import SSH, Port, parse_port

Json = Any

LISTS = Path(__file__).parents[2] / "fixtures" / "cloud" / "lists"
ONE = json.loads((LISTS / "one.json").read_bytes())
(VM,) = ONE["/v2/vms"]["items"]
(GROUP,) = ONE["/v1/security_groups"]["items"]
INTERFACES = VM["expanded"]["networkInterfaces"]


class FakeCloud(Protocol):
    """What the tests use of the fixture `cloud`."""

    answers: dict[str, Json]
    asked: list[httpx.Request]

    def count(self, path: str) -> int:
        """How often the path was asked for."""

    def client(self, **config: Json) -> FluenceClient:
        """A client of it."""


def page(items: list[Json], records: int | None = None) -> Json:
    """The only page of a list that announces so many records."""
    count = len(items) if records is None else records
    numbers = {"currentPage": 1, "perPage": 100, "totalPages": 1}
    return {
        "items": items,
        "pagination": {**numbers, "totalRecords": count, "filteredRecords": count},
    }


async def changed_rules(
    cloud: FakeCloud, ingress: Json, *ports: str
) -> tuple[list[str], list[Json]]:
    """What is written to the group when these ports are set: its keys, and the rules."""
    cloud.answers["/v1/security_groups"] = page([GROUP | {"ingressRules": ingress}])
    async with cloud.client() as client:
        await client.update_vm(VM["id"], ports=[parse_port(each) for each in ports])
    written = json.loads(cloud.asked[-1].content)
    assert ("PATCH", f"/v1/security_groups/{GROUP['id']}") == (
        cloud.asked[-1].method,
        cloud.asked[-1].url.path,
    )
    return list(written), written["ingressRules"]["rules"]


def rule(kind: Json, address: str = "0.0.0.0/0", family: str = "ipv4") -> Json:
    return {"type": family, "protocolKind": kind, "remote": {"address": address}}


def tcp(number: int) -> Json:
    return {"tcp": {"ports": {"exact": {"value": number}}}}


async def test_rules_of_ports(cloud: FakeCloud) -> None:
    """Each kind of port is written as a rule for everybody; the outbound rules are let alone."""
    wanted = ("22/tcp", "8000-8100/udp", "all/tcp", "all/icmp", "all/any")

    keys, rules = await changed_rules(cloud, {"type": "allowAll"}, *wanted)

    assert ["ingressRules"] == keys
    expected = ["all", "icmp", {"tcp": {"ports": "all"}}, tcp(22)]
    expected.append({"udp": {"ports": {"range": {"min": 8000, "max": 8100}}}})
    assert sorted(map(rule, expected), key=str) == sorted(rules, key=str)


async def test_rules_that_are_kept(cloud: FakeCloud) -> None:
    """Rules for some addresses or groups stay, as do those of ports that stay open."""
    office = rule(tcp(22), "203.0.113.0/24")
    inside = {"type": "ipv4", "protocolKind": "all", "remote": {"securityGroup": "g"}}
    ipv6 = rule(tcp(443), "::/0", "ipv6")
    before = [office, rule(tcp(80)), inside, ipv6, rule(tcp(8080))]

    _, rules = await changed_rules(cloud, {"type": "allow", "rules": before}, "80/tcp", "443/tcp")

    assert [office, rule(tcp(80)), inside, ipv6, rule(tcp(443))] == rules


@pytest.mark.parametrize(
    ("groups", "interfaces", "why"),
    [
        (
            [GROUP | {"attachedTo": [*GROUP["attachedTo"], "another"]}],
            INTERFACES,
            "other VMs use the security group group-1",
        ),
        ([], INTERFACES, "do not have one security group between them, but none"),
        ([GROUP], [], "do not have one security group between them"),
        (
            [GROUP, GROUP | {"id": "second", "name": "two", "attachedTo": ["i2"]}],
            [*INTERFACES, {"id": "i2", "kind": {"public": {"public_ip": "x"}}}],
            r"but group-1 \(.*\), two \(second\)",
        ),
    ],
)
async def test_group_that_is_not_the_vms_own(
    cloud: FakeCloud, groups: list[Json], interfaces: list[Json], why: str
) -> None:
    """Ports are not set where that would change another VM, or where it is unclear what to set."""
    cloud.answers["/v1/security_groups"] = page(groups)
    cloud.answers[f"/v2/vms/{VM['id']}/interfaces"] = interfaces

    with pytest.raises(RefusedError, match=why):
        await cloud.client().update_vm(VM["id"], name="new", ports=[SSH])

    assert {"GET"} == {request.method for request in cloud.asked}


async def test_rules_that_cannot_be_read(cloud: FakeCloud) -> None:
    """A rule that is not understood is not thrown away: nothing is changed."""
    odd = GROUP | {"ingressRules": {"type": "allow", "rules": [rule({"tcp": {"ports": "most"}})]}}
    cloud.answers["/v1/security_groups"] = page([odd])

    with pytest.raises(UnexpectedPayloadError, match="not a list of rules"):
        await cloud.client().update_vm(VM["id"], ports=[SSH])

    assert {"GET"} == {request.method for request in cloud.asked}


async def test_a_protocol_that_is_not_known(cloud: FakeCloud) -> None:
    """Its rule is kept while its ports are wanted; it can be closed, but no other be opened."""
    quic, gre = rule({"quic": {"ports": "all"}}), rule("gre")
    ingress = {"type": "allow", "rules": [quic, gre, rule(tcp(80))]}
    cloud.answers["/v1/security_groups"] = page([GROUP | {"ingressRules": ingress}])
    async with cloud.client() as client:
        (vm,) = (await client.list_vms()).vms
        assert (Port(1, 65_535, "gre"), Port(1, 65_535, "quic"), Port(80, 80, "tcp")) == vm.ports
        await client.update_vm(VM["id"], ports=[SSH, Port(1, 65_535, "quic")])
        body = json.loads(cloud.asked[-1].content)
        assert [quic, rule(tcp(22))] == body["ingressRules"]["rules"]
        with pytest.raises(RefusedError, match=r"80/quic: a rule can open ports of tcp or udp"):
            await client.update_vm(VM["id"], ports=[Port(80, 80, "quic")])


async def test_half_a_change(cloud: FakeCloud) -> None:
    """When the second of two requests is refused, it is told what the first has changed."""
    cloud.answers[f"PATCH /v1/security_groups/{GROUP['id']}"] = (422, "too many rules")

    with pytest.raises(RefusedError, match=r"^the name was changed, the ports were not: .*many"):
        await cloud.client().update_vm(VM["id"], name="new", ports=[SSH])


async def test_doubtful_ports(cloud: FakeCloud) -> None:
    """Ports whose answer did not come are read back from their group."""
    cloud.answers[f"PATCH /v1/security_groups/{GROUP['id']}"] = (500, "broken")
    there = [SSH, Port(8000, 8100, "tcp")]

    async with cloud.client(timeout=0.3) as client:
        await client.update_vm(VM["id"], ports=there)
        with pytest.raises(ServerError, match="ports is not as requested"):
            await client.update_vm(VM["id"], ports=[SSH])


@pytest.mark.parametrize("status", ["terminating", "terminated"])
async def test_doubtful_deletion(cloud: FakeCloud, status: str) -> None:
    """A VM that is in the list as ended was deleted."""
    cloud.answers[f"POST /v2/vms/{VM['id']}/terminate"] = (500, "broken")
    async with cloud.client(timeout=0.3) as client:
        with pytest.raises(ServerError, match="still in the list, as active"):
            await client.delete_vm(VM["id"])
        cloud.answers["/v2/vms"] = page([VM | {"status": status}])
        await client.delete_vm(VM["id"])


def money(balance: str, deposited: str = "100", **rest: Json) -> Json:
    return {"balance": balance, "totalDepositedAmount": deposited, "featureKey": "k"} | rest


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([money("100.50", usageDaysLeft=12)], AccountBalance(100_500_000, 12)),
        ([money("0", "0")], AccountBalance(0)),
        ([money("-1.25", overage="1.25")], AccountBalance(-1_250_000, None, 1_250_000)),
        ([money("1", usageDaysLeft=-1)], AccountBalance(1_000_000)),
        ([money("7", "0"), money("5")], AccountBalance(5_000_000)),
        ([money("0.0000005")], AccountBalance(0)),
        ([money("0.0000015")], AccountBalance(2)),
        ([money(".30697")], AccountBalance(306_970)),
    ],
)
async def test_balance(cloud: FakeCloud, answer: Json, expected: AccountBalance) -> None:
    """The money is the one entitlement that was paid for, half a micro-USDC goes to the even one."""
    cloud.answers["/v2/users/balances"] = answer

    assert expected == await cloud.client().account_balance()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([], "there is no entitlement"),
        ([money("1"), money("2")], "there is no single balance: k, k"),
    ],
)
async def test_no_single_balance(cloud: FakeCloud, answer: Json, why: str) -> None:
    """What does not add up is unknown, and said."""
    cloud.answers["/v2/users/balances"] = answer

    with pytest.raises(UnexpectedPayloadError, match=why):
        await cloud.client().account_balance()


@pytest.mark.parametrize("balance", ["", "1e3", "NaN", "-", ".", "1,5", "٣", "9" * 30, 5, None])
async def test_balance_that_cannot_be_read(cloud: FakeCloud, balance: Json) -> None:
    """An amount that is none is an error, never a balance of nothing."""
    cloud.answers["/v2/users/balances"] = [money(balance)]

    with pytest.raises(UnexpectedPayloadError, match=r"^body\[0\]\.balance|^body\[\.\.\.\]"):
        await cloud.client().account_balance()


async def test_keys_that_change_under_the_reader(cloud: FakeCloud) -> None:
    """A list of keys is given whole or not at all."""
    cloud.answers["/v1/ssh_keys"] = page([], 1)

    with pytest.raises(UnexpectedPayloadError, match="the list of SSH keys is incomplete"):
        await cloud.client().list_ssh_keys()
