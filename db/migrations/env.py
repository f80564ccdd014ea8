"""Alembic's environment: runs the migrations inside the transaction of the connection in the config's attributes."""

from alembic import context
from sqlalchemy import Connection

from germline.db.revisions import VERSION_TABLE
from germline.db.schema import metadata


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, version_table=VERSION_TABLE)
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])
