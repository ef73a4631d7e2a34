"""Pages for a browser: files that commands write, and the page of ``faceie browse``.

A file holds its pictures and styles, and no script. The page of ``faceie browse`` comes from a server on this machine:
a request passes `server`, `security` and `app`, is answered by one of the `views`, and framed by `layout`.

=============  ==============================================================
`pages`        files: the page of a search, and the page of people
`markup`       fill templates, and escape text that comes from outside
`server`       listen on a port of this machine, and end
`security`     refuse everything that is not from the user's own browser
`app`          routes: from a request through a view to a response
`desk`         the gallery for each kind of work; clustering in the background
`visit`        a request as a view sees it, and the answers of a view
`views`        people, one person, photos ...: a file each
`layout`       navigation, and the last change with its button to undo it
``templates``  HTML
``static``     the style, the scripts, and two pictures
=============  ==============================================================

`server`, `security` and `app` need the packages of the extra "web"; nothing else imports them.
"""

from .pages import people_page, search_page

__all__ = ["people_page", "search_page"]
