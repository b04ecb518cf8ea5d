"""How a row's id stands in an address: the UUID's 32 hexadecimal digits."""

from uuid import UUID


class Hex:
    regex = "[0-9a-f]{32}"

    def to_python(self, value: str) -> UUID:
        return UUID(hex=value)

    def to_url(self, value: UUID | str) -> str:
        return value.hex if isinstance(value, UUID) else value
