"""What was charged: `GET /v1/billing/charges/aggregated`."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Protocol

import pytest

from fluence_watch.errors import ApiError, UnauthorizedError, UnexpectedPayloadError
from fluence_watch.fluence import Charge, FluenceClient, NotReported
from fluence_watch.model.money import MicroUsdc

Json = Any
PATH = "/v1/billing/charges/aggregated"
LAST = date(2026, 4, 15)
FIRST = LAST - timedelta(days=1)


class FakeCloud(Protocol):
    """What the tests use of the fixture `cloud`."""

    answers: dict[str, Json]

    def count(self, path: str) -> int:
        """How often the path was asked for."""

    def client(self, **config: Json) -> FluenceClient:
        """A client of it."""


def row(**changes: Json) -> dict[str, Json]:
    usual = {
        "userId": "u",
        "totalCost": "0.1234567890",
        "totalUsageHours": "24",
        "periodStart": "2026-04-15T00:00:00Z",
        "resourceType": "STORAGE",
        "resourceId": "d1",
        "resourceName": "archive",
        "quantity": "1",
    }
    return usual | changes


CHARGE = Charge(LAST, "disk", MicroUsdc(123_457), Decimal(24), "d1", "archive")


async def test_charges(cloud: FakeCloud) -> None:
    """Each with its day and its kind; a day that was not asked for is left out."""
    cloud.answers[PATH] = [
        row(),
        row(resourceType="VM", periodStart="2026-04-14T00:00:00Z", totalUsageHours="1.5"),
        row(resourceType="PUBLIC_IP", resourceId=None, resourceName=None),
        row(resourceType="VPC"),
        row(resourceType=None),
        row(periodStart="2026-04-16T00:00:00Z"),
    ]
    async with cloud.client() as client:
        found = await client.charges(FIRST, LAST)

    assert not isinstance(found, NotReported)
    assert CHARGE == found[0]
    assert (FIRST, "vm", Decimal("1.5")) == (found[1].day, found[1].kind, found[1].hours)
    assert ("public_ip", None, None) == (found[2].kind, found[2].resource_id, found[2].name)
    assert ["vpc", "unknown"] == [each.kind for each in found[3:]]


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        ([row(), row(totalCost="much")], "[1].totalCost"),
        ([row(totalCost=None)], "[0].totalCost"),
        ([row(totalCost="1" * 40)], "[0].totalCost"),
        ([row(totalUsageHours="1e3")], "[0].totalUsageHours"),
        ([row(periodStart=None)], "[0].periodStart"),
        ([row(periodStart="1970-01-01T00:00:00Z")], "[0].periodStart"),
        ([row(periodStart="yesterday")], "[0].periodStart"),
        ({"items": []}, "body"),
        (["row"], "[0]"),
    ],
)
async def test_charges_that_cannot_be_read(cloud: FakeCloud, rows: Json, where: str) -> None:
    """A bill with a part that is unknown is unknown."""
    cloud.answers[PATH] = rows
    async with cloud.client() as client:
        with pytest.raises(UnexpectedPayloadError) as problem:
            await client.charges(FIRST, LAST)
    assert where in str(problem.value)


async def test_how_often_they_are_requested(cloud: FakeCloud) -> None:
    """Once an hour, and again for other days."""
    cloud.answers[PATH] = [row()]
    async with cloud.client() as client:
        assert await client.charges(FIRST, LAST) == await client.charges(FIRST, LAST) == (CHARGE,)
        assert 1 == cloud.count(PATH)
        await client.charges(LAST, LAST)
        assert 2 == cloud.count(PATH)


@pytest.mark.parametrize("status", [403, 404])
async def test_charges_that_are_refused(cloud: FakeCloud, status: int) -> None:
    """They are not tried again at the next poll."""
    cloud.answers[PATH] = (status, "no")
    async with cloud.client() as client:
        for _ in range(2):
            with pytest.raises(ApiError) as problem:
                await client.charges(FIRST, LAST)
            assert isinstance(problem.value, UnauthorizedError) is (status == 403)
    assert 1 == cloud.count(PATH)


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_dialects_without_charges(cloud: FakeCloud, dialect: str) -> None:
    """They have a total of each VM in place of it."""
    async with cloud.client(dialect=dialect) as client:
        assert isinstance(await client.charges(FIRST, LAST), NotReported)
