"""The error for an address that names nothing."""


class NoSuchPage(ValueError):
    """An address names nothing."""
