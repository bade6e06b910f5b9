"""What is wrong with a value, in words: for settings, and for other files that users write."""

import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fluence_watch.settings.checks.doubt import nearest
from fluence_watch.settings.environment import Loc

_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "model_type": "write a table of keys and values",
    "string_too_short": "is empty",
    "too_short": "is empty",
    "string_type": 'write text in quotes: "…"',
    "decimal_type": "write a number, such as 1.5",
    "decimal_parsing": "write a number, such as 1.5",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
}


def errors_of(error: ValidationError) -> list[ErrorDetails]:
    """All that is wrong, without what only follows: a list whose items are invalid is not empty."""
    found = error.errors()
    around = {each["loc"][:length] for each in found for length in range(len(each["loc"]))}
    return [each for each in found if each["type"] != "too_short" or each["loc"] not in around]


def in_doubt(error: ErrorDetails, model: type[BaseModel]) -> list[Loc]:
    """The keys whose values this error leaves unknown: its own, and what an unknown one may stand for."""
    loc: Loc = error["loc"]
    is_unknown = error["type"] == "extra_forbidden"
    return [loc, *((*loc[:-1], key) for key in (near(loc, model) if is_unknown else ()))]


def words_of(error: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong with a value of the model, and what to write."""
    loc: Loc = error["loc"]
    if error["type"] == "extra_forbidden":
        return "unknown key" + _nearest(loc, model)
    if error["type"] == "tuple_type":
        return (
            f"write [[{loc[0]}]] tables" if len(loc) == 1 else f"write a list{_example(loc, model)}"
        )
    if error["type"].startswith("url_") and "://" not in str(error["input"]):
        return "has no scheme: write https://…"
    if words := _WORDS.get(error["type"]):
        return words
    return error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")


def _example(loc: Loc, model: type[BaseModel]) -> str:
    """The list's example, else its default, as what to write."""
    field = _model_at(loc[:-1], model).model_fields.get(str(loc[-1]))
    if field is None:
        return ""
    examples = field.examples or ([] if field.is_required() else [field.default])
    return f", such as {json.dumps(examples[0])}" if examples and examples[0] else ""


def _nearest(loc: Loc, model: type[BaseModel]) -> str:
    close = near(loc, model)
    known = ", ".join(_known_keys(loc[:-1], model))
    return f"; did you mean {close[0]!r}?" if close else f"; known here: {known}"


def near(loc: Loc, model: type[BaseModel]) -> list[str]:
    """The known key that is nearest to an unknown one."""
    return nearest(str(loc[-1]), _known_keys(loc[:-1], model), 0.5)


def _known_keys(loc: Loc, model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in _model_at(loc, model).model_fields.items()]


def _model_at(loc: Loc, model: type[BaseModel]) -> type[BaseModel]:
    """The model of the table at this path; what is not one of its keys is a place in a list or a table."""
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - annotations have no common type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(each) for each in get_args(annotation))
    return next((model for model in found if model), None)
