"""What was charged, by resource and day: `GET /v1/billing/charges/aggregated`.

Source: OpenAPI description 0.10.0. The key needs `billing:get_spending_history`.
"""

from collections.abc import Iterator
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from fluence_watch.fluence.dialects.cloud.resources import WORDS
from fluence_watch.fluence.dialects.parts import optional_time, rounded_usd
from fluence_watch.fluence.dialects.wire import FieldError, decoded, expected
from fluence_watch.fluence.http.calls import Call
from fluence_watch.model.charge import VM, Charge

PERMISSION: Final = "billing:get_spending_history"
_PATH: Final = "/v1/billing/charges/aggregated?groupBy=RESOURCE&period=DAY"
_KINDS: Final = {word: kind.value for kind, word in WORDS.items()} | {"VM": VM}


class _Row(msgspec.Struct, rename="camel"):
    total_cost: str
    total_usage_hours: str
    period_start: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    resource_name: str | None = None

    def model(self, path: str) -> Charge:
        day = optional_time(self.period_start, f"{path}.periodStart")
        if day is None:
            raise FieldError(f"{path}.periodStart", "it is not the day of a charge")
        word = self.resource_type or "unknown"
        return Charge(
            day.astimezone(UTC).date(),
            _KINDS.get(word, word.lower()),
            rounded_usd(self.total_cost, f"{path}.totalCost"),
            _hours(self.total_usage_hours, f"{path}.totalUsageHours"),
            self.resource_id or None,
            self.resource_name or None,
        )


def _hours(text: str, path: str) -> Decimal:
    """Hours with as many decimals as an amount of USD."""
    return Decimal(rounded_usd(text, path)).scaleb(-6)


async def request_charges(call: Call, first: date, last: date) -> tuple[Charge, ...]:
    """The charges of the days, both included.

    Raises:
        UnexpectedPayloadError: one of them cannot be read.
        ApiError: they could not be requested.
    """
    # the description does not say whether the last day is included, so one more is requested
    end = last + timedelta(days=1)
    body = await call.get("charges", f"{_PATH}&startDate={first}&endDate={end}")
    found = expected("a list of charges", _read, body)
    return tuple(each for each in found if first <= each.day <= last)


def _read(body: bytes) -> tuple[Charge, ...]:
    return tuple(_charges(decoded(_ROWS, body)))


def _charges(rows: list[_Row]) -> Iterator[Charge]:
    for index, row in enumerate(rows):
        yield row.model(f"[{index}]")


_ROWS = msgspec.json.Decoder(list[_Row])
