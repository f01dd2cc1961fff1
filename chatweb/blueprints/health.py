"""How the server is, for machines."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response, current_app, jsonify

from chatweb.blueprints.access import ANYONE, open_to

health = Blueprint("health", __name__)


@health.get("/livez")
@open_to(ANYONE)
def livez() -> Response:
    return jsonify(status="pass")


@health.get("/health")
@open_to(ANYONE)
def report() -> tuple[Response, int]:
    database = current_app.extensions["look"]()
    found = {name: value for name, value in asdict(database).items() if value is not None}
    code = 503 if database.status == "fail" else 200
    return jsonify(status=database.status, database=found), code
