"""A PostgreSQL server runs what its database holds: `germline db check` names what is not Germline's."""

import pytest
import sqlalchemy

from germline.db.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

ALTERED = {
    "a trigger": (
        [
            "CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN DELETE FROM evaluation; RETURN NEW; END'",
            "CREATE TRIGGER evil AFTER UPDATE ON run FOR EACH ROW EXECUTE FUNCTION evil()",
        ],
        "run has trigger evil",
    ),
    "a rule": (["CREATE RULE evil AS ON INSERT TO artifact DO ALSO DELETE FROM evaluation"], "artifact has rule evil"),
    "a view in the place of a table": (
        ["ALTER TABLE rejection RENAME TO renamed", "CREATE VIEW rejection AS SELECT * FROM renamed"],
        "rejection is not a table",
    ),
    "a row policy": (["CREATE POLICY evil ON winner USING (false)"], "winner has row policy evil"),
    "a generated column": (
        ["ALTER TABLE genome ADD COLUMN more text GENERATED ALWAYS AS (text || text) STORED"],
        "genome has generated column more",
    ),
}


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
@pytest.mark.parametrize(("statements", "difference"), ALTERED.values(), ids=ALTERED)
def test_what_acts_on_our_tables_is_named(url: str, statements: list[str], difference: str) -> None:
    with Store(url) as store:
        assert store.check() == []
        engine = sqlalchemy.create_engine(url)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sqlalchemy.text(statement))
        engine.dispose()
        assert f"altered schema: {difference}" in store.check()


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_the_views_of_the_database_are_not_read(url: str) -> None:
    with Store(url) as store:
        store.create_run("only", "optimizer", "digits-mlp", "quick", 1, {}, {})
        engine = sqlalchemy.create_engine(url)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("DROP VIEW v_runs"))
        engine.dispose()
        assert [summary.name for summary in store.runs()] == ["only"]
