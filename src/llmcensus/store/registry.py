"""
What the store knows of apps and of models' names, and what the operator says of them.

Apps claim their own titles and categories: the newest title wins, and the first ten categories stay. Both are decided
by the times of the requests, so that the order in which they arrive does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from llmcensus.cells import CUBES
from llmcensus.errors import InputError, NotFound
from llmcensus.event import Event
from llmcensus.store import sessions, sql
from llmcensus.store.schema import app_categories, apps, cubes, model_aliases
from llmcensus.store.sql import AnyRow


def claim(connection: Connection, events: Sequence[Event]) -> None:
    """Records the titles and categories that apps gave themselves."""
    titles: dict[int, tuple[int, str, str]] = {}
    since: dict[tuple[int, str], int] = {}
    for event in events:
        app = event.app
        if app is None or event.excluded is not None:
            continue
        claimed = (event.created_ms if app.title else -1, app.title or "", app.identity)
        titles[app.app_id] = max(titles.get(app.app_id, claimed), claimed)
        for category in app.categories:
            key = (app.app_id, category)
            since[key] = min(since.get(key, event.created_ms), event.created_ms)
    if titles:
        statement = sql.insert(connection, apps)
        new = statement.excluded
        newer = or_(
            new.title_at > apps.c.title_at,
            and_(new.title_at == apps.c.title_at, new.title > func.coalesce(apps.c.title, "")),
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["app_id"], set_={"title": new.title, "title_at": new.title_at}, where=newer
            ),
            [
                {"app_id": app_id, "identity": identity, "title": title or None, "title_at": at, "hidden": False}
                for app_id, (at, title, identity) in sorted(titles.items())
            ],
        )
    rows = [{"app_id": app, "category": category, "since": at} for (app, category), at in sorted(since.items())]
    sql.keep(connection, app_categories, rows, smallest="since")


def list_apps(connection: Connection) -> Sequence[AnyRow]:
    """Returns app_id, identity, title, renamed, hidden, merged_into, requests; most requests first."""
    cells = cubes["app"]
    requests = func.coalesce(func.sum(cells.c.requests), 0).label("requests")
    return connection.execute(
        select(
            apps.c.app_id, apps.c.identity, apps.c.title, apps.c.renamed, apps.c.hidden, apps.c.merged_into, requests
        )
        .outerjoin_from(apps, cells, cells.c.app_id == apps.c.app_id)
        .group_by(apps.c.app_id)
        .order_by(requests.desc(), apps.c.app_id)
    ).all()


def hide_app(connection: Connection, app_id: int, hidden: bool) -> None:
    _change(connection, app_id, hidden=hidden)


def rename_app(connection: Connection, app_id: int, name: str | None) -> None:
    _change(connection, app_id, renamed=name)


def merge_app(connection: Connection, app_id: int, into: int | None) -> None:
    """Counts the traffic of an app, past and to come, as that of `into`; None takes that back."""
    if into is not None:
        target = connection.execute(select(apps.c.merged_into).where(apps.c.app_id == into)).first()
        if target is None:
            raise NotFound(f"No app {into}")
        if into == app_id or target.merged_into is not None:
            raise InputError(f"App {into} is no app to merge into: expected one that is not merged itself")
        # What was merged into this app moves along, so that one step always leads to the canonical app.
        connection.execute(update(apps).where(apps.c.merged_into == app_id).values(merged_into=into))
    _change(connection, app_id, merged_into=into)
    sessions.forget(connection)


def _change(connection: Connection, app_id: int, **values: object) -> None:
    if connection.execute(update(apps).where(apps.c.app_id == app_id).values(**values)).rowcount == 0:
        raise NotFound(f"No app {app_id}")


def list_models(connection: Connection) -> Sequence[AnyRow]:
    """Returns permaslug, requests, tokens, newest day; most requests first. Unknown names begin with `?`."""
    cells = cubes["model"]
    requests = func.sum(cells.c.requests).label("requests")
    return connection.execute(
        select(
            cells.c.permaslug,
            requests,
            func.sum(cells.c.tokens_prompt + cells.c.tokens_completion).label("tokens"),
            func.max(cells.c.date).label("newest"),
        )
        .group_by(cells.c.permaslug)
        .order_by(requests.desc(), cells.c.permaslug)
    ).all()


def aliases(connection: Connection) -> dict[str, str]:
    rows = connection.execute(select(model_aliases.c.name, model_aliases.c.permaslug))
    return {row.name: row.permaslug for row in rows}


def alias_model(connection: Connection, name: str, permaslug: str, counted_as: str) -> int:
    """Makes `name` mean `permaslug`; returns how many requests were `counted_as` unknown till now."""
    statement = sql.insert(connection, model_aliases)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"permaslug": statement.excluded.permaslug}),
        {"name": name, "permaslug": permaslug},
    )
    return move_model(connection, counted_as, permaslug)


def move_model(connection: Connection, counted_as: str, permaslug: str) -> int:
    """
    Adds the cells of one model to those of another and drops them; returns how many requests that were.

    Requests without a cost stay without: what is counted is no longer known one by one.
    """
    moved = 0
    for cube, table in cubes.items():
        if "permaslug" not in CUBES[cube]:
            continue
        of_name = table.c.permaslug == counted_as
        rows = connection.execute(select(table).where(of_name)).all()
        connection.execute(delete(table).where(of_name))
        sql.add(connection, table, [tuple((row._asdict() | {"permaslug": permaslug}).values()) for row in rows])
        if cube == "model":
            moved = sum(row.requests for row in rows)
    sessions.forget(connection)
    return moved
