"""What went wrong with a service, in words for the person at the terminal."""


class Trouble(Exception):
    """A service cannot run. The message says why, and what to do about it."""
