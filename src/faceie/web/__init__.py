"""Pages to look at in a browser: one file each, with all its pictures in it, and nothing in it that runs."""

from .pages import people_page, search_page

__all__ = ["people_page", "search_page"]
