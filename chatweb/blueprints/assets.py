"""Static files under addresses that change with their content, so that browsers keep them."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, request, url_for

YEAR = 31_536_000


def init_app(app: Flask) -> None:
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR
    folder = Path(app.static_folder or "")

    @lru_cache(None)
    def address(filename: str, root: str) -> str:
        version = hashlib.sha256((folder / filename).read_bytes()).hexdigest()[:10]
        return url_for("static", filename=filename, v=version)

    def asset(filename: str) -> str:
        """The address of a static file."""
        if app.debug:
            return url_for("static", filename=filename)
        return address(filename, request.script_root)

    app.jinja_env.globals["asset"] = asset
