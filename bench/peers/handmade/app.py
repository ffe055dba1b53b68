"""The audit service that a team writes by hand: FastAPI, asyncpg, PostgreSQL. It has no proofs, and a batch with a known id fails whole.

    POST /v1/events           one event: 201 once it is committed
    POST /v1/events/batch     NDJSON: 200 once all of it is committed, in one transaction
    GET  /v1/events/{id}
    GET  /v1/events?actor=customer-002&type=order.placed&limit=100      newest first

Runs in an environment of its own (requirements/peers.txt), as `uvicorn app:app`. DSN says where the database is.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from fastapi import FastAPI, HTTPException, Request, Response

COLUMNS = ("tenant", "id", "type", "source", "time", "actor_id", "target_ids", "outcome", "doc")
INSERT = f"INSERT INTO events ({','.join(COLUMNS)}) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) ON CONFLICT DO NOTHING"
JSON = "application/json"


@asynccontextmanager
async def _pool(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DSN"], min_size=4, max_size=16, init=_jsonb_as_bytes) as app.state.pool:
        yield


async def _jsonb_as_bytes(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=lambda text: b"\x01" + text, decoder=lambda text: bytes(text[1:])
    )


app = FastAPI(lifespan=_pool)


@app.post("/v1/events")
async def one(request: Request) -> Response:
    (event,) = _events(await request.body())
    await app.state.pool.execute(INSERT, *_row(event, _tenant(request)))
    return Response(status_code=201)


@app.post("/v1/events/batch")
async def batch(request: Request) -> Response:
    tenant = _tenant(request)
    rows = [_row(event, tenant) for event in _events(await request.body())]
    async with app.state.pool.acquire() as connection, connection.transaction():
        await connection.copy_records_to_table("events", records=rows, columns=COLUMNS)
    return Response(orjson.dumps({"accepted": len(rows)}), media_type=JSON)


@app.get("/v1/events/{id}")
async def event(id: UUID, request: Request) -> Response:
    found = await app.state.pool.fetchval("SELECT doc FROM events WHERE tenant = $1 AND id = $2", _tenant(request), id)
    if found is None:
        raise HTTPException(404)
    return Response(found, media_type=JSON)


@app.get("/v1/events")
async def page(request: Request, actor: str | None = None, type: str | None = None, limit: int = 100) -> Response:
    wanted = {"tenant": _tenant(request), "actor_id": actor, "type": type}
    given = {column: value for column, value in wanted.items() if value is not None}
    where = " AND ".join(f"{column} = ${place}" for place, column in enumerate(given, 1))
    question = f"SELECT doc FROM events WHERE {where} ORDER BY time DESC LIMIT ${len(given) + 1}"
    rows = await app.state.pool.fetch(question, *given.values(), min(limit, 1000))
    return Response(b"[" + b",".join(row["doc"] for row in rows) + b"]", media_type=JSON)


def _tenant(request: Request) -> str:
    return request.headers.get("x-tenant", "default")


def _events(body: bytes) -> list[Any]:
    try:
        return [orjson.loads(line) for line in body.splitlines() if line]
    except ValueError as error:
        raise HTTPException(400, str(error)) from error


def _row(event: Any, tenant: str) -> tuple[Any, ...]:
    try:
        return (
            tenant,
            UUID(event["id"]),
            event["type"],
            event["source"],
            datetime.fromisoformat(event["time"]),
            (event.get("actor") or {}).get("id"),
            [target["id"] for target in event.get("targets", ())],
            (event.get("outcome") or {}).get("result"),
            orjson.dumps(event),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise HTTPException(422, f"no event: {error!r}") from error
