"""Pages of the ground floor, a file for each concern."""

from .pages import page

__all__ = ["page"]
