"""Pages for a browser. Each is a single file that holds its pictures and styles, and no script.

=============  ==========================================================
`pages`        the page of a search, and the page of people
`markup`       fill templates, and escape text that comes from outside
``templates``  HTML and CSS
=============  ==========================================================
"""

from .pages import people_page, search_page

__all__ = ["people_page", "search_page"]
