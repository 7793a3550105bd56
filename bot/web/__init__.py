"""The page: an adapter over the desk for anybody with a browser, no account needed.

`app` serves and stops it, `pages` has the routes, `upload` reads a picture within its cap, `session` knows
who somebody is, `guard` refuses what comes from elsewhere, `render` makes HTML or JSON of what the desk says.
"""
