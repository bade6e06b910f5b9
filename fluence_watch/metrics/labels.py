r"""Label values from outside text, for both exposition formats.

Both formats write a label as `name="value"` and escape `\`, `"` and line feeds.
These functions return escaped values that can be inserted between the quotes.
"""

import re
from functools import lru_cache
from hashlib import blake2s

from fluence_watch.model.text import inert
from fluence_watch.model.vm import Datacenter

MAX_LENGTH = 256
UNKNOWN = "unknown"

_PLAIN = re.compile(r"[\w ./:+-]{0,256}", re.ASCII)


def label_value(text: str) -> str:
    """The text on one line, without control codes, cut to `MAX_LENGTH` characters, escaped."""
    return text if _PLAIN.fullmatch(text) else _escaped(inert(text, MAX_LENGTH))


def identity(text: str) -> str:
    """A label value that stays unique: text that had to be changed gets a digest.

    Two series with the same labels would invalidate the whole exposition.
    """
    if _PLAIN.fullmatch(text):
        return text
    if inert(text, MAX_LENGTH) == text:
        return _escaped(text)
    digest = blake2s(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return _escaped(f"{inert(text, MAX_LENGTH - len(digest) - 1)}~{digest}")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


@lru_cache(maxsize=1024)
def place_labels(datacenter: Datacenter | None) -> str:
    """The labels of a location."""
    names = (UNKNOWN,) * 3
    if datacenter is not None:
        names = datacenter.name, datacenter.country, datacenter.city
    return 'datacenter="{}",country="{}",city="{}"'.format(*map(label_value, names))
