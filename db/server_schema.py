"""What a PostgreSQL server would execute besides Germline's own statements: `germline db check` reports it.

Triggers, rules and row policies run on the server, with the rights of the user who connects. Germline neither runs them
on this machine nor refuses them: whoever may create them on a server is trusted.
"""

from typing import Final

from sqlalchemy import Connection, text

from germline.db.schema import metadata

_QUERIES: Final = {
    "{0} is not a table": """
        SELECT c.relname, c.relname FROM pg_class c
        WHERE c.relnamespace = to_regnamespace(current_schema())
            AND c.relname = ANY(:tables) AND c.relkind NOT IN ('r', 'p')
    """,
    "{0} has trigger {1}": """
        SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = to_regnamespace(current_schema()) AND c.relname = ANY(:tables) AND NOT t.tgisinternal
    """,
    "{0} has rule {1}": """
        SELECT c.relname, r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
        WHERE c.relnamespace = to_regnamespace(current_schema())
            AND c.relname = ANY(:tables) AND r.rulename <> '_RETURN'
    """,
    "{0} has row policy {1}": """
        SELECT c.relname, p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
        WHERE c.relnamespace = to_regnamespace(current_schema()) AND c.relname = ANY(:tables)
    """,
    "{0} has generated column {1}": """
        SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = to_regnamespace(current_schema()) AND c.relname = ANY(:tables) AND a.attgenerated <> ''
    """,
}
"""The phrase of each kind of difference, and the query for its tables and names."""


def server_differences(connection: Connection) -> list[str]:
    """A phrase for each object of a PostgreSQL server that acts on Germline's tables and is not Germline's."""
    tables = {"tables": list(metadata.tables)}
    return [
        phrase.format(*row)
        for phrase, query in _QUERIES.items()
        for row in connection.execute(text(query + " ORDER BY 1, 2"), tables)
    ]
