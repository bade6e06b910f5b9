"""The style sheet of the status page, and the hash by which browsers allow it."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

STYLE = (files("fluence_watch.web") / "templates" / "status.css").read_text("utf-8")

STYLE_HASH = f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}"
"""The source that the Content-Security-Policy must allow for the page's style."""
