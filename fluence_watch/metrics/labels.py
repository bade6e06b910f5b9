r"""Label values: text from outside, made fit for both exposition formats.

Both write a label as `name="value"` with `\`, `"` and line feed escaped. A value that these
functions give is finished: it can be put between the quotes as it is.
"""

import re
from hashlib import blake2s

from fluence_watch.model.text import inert

LONGEST = 256

_PLAIN = re.compile(r"[\w ./:+-]{0,256}", re.ASCII)


def label_value(text: str) -> str:
    """The text on one line, without control codes, cut to `LONGEST` characters, escaped."""
    return text if _PLAIN.fullmatch(text) else _escaped(inert(text, LONGEST))


def identity(text: str) -> str:
    """A label value that tells things apart: a text that had to be changed gets a digest.

    Two series with the same labels would cost the whole exposition.
    """
    if _PLAIN.fullmatch(text):
        return text
    if inert(text, LONGEST) == text:
        return _escaped(text)
    digest = blake2s(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return _escaped(f"{inert(text, LONGEST - len(digest) - 1)}~{digest}")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
