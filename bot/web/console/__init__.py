"""The moderators' console at ``/review``: an adapter over the desk's moderation for a signed-in browser.

`routes` joins the pages and knows who may open them; `session` has the signed cookie, `signin` the way from a
link that works once to that cookie. `review` is the queue, `bulk` the grid of what many agree on, `pictures`
the bytes, `characters`, `exports` and `figures` (agreement, history) the other pages. `forms` reads what was
sent, `shown` makes of the ledger's views what the templates show, `sentences` has what is said after a
decision, `names` the reader's names, `html` renders it all.
"""
