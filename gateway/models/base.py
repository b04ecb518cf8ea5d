"""What every row has."""

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): unguessable enough to show, ordered by time for the index."""
    return uuid7()


class Row(models.Model):
    """A row with a UUIDv7 and the database's own time of birth."""

    NOUN: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


class Living(Row):
    """A row with a `state` that only `gateway.states` writes. MOVES says from where one may go where to."""

    MOVES: ClassVar[dict[str, set[str]]]

    class Meta:
        abstract = True


def states(*names: str) -> models.TextField:
    """The column of a life whose first state is `names[0]`."""
    return models.TextField(default=names[0], choices=[(name, name.replace("_", " ")) for name in names])
