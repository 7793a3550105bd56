"""The worker: one process that looks at pictures for everybody else.

::

    POST /v1/identify ─▶ admission ─▶ fair queue ─▶ decoder (a child) ─▶ classifier (one thread) ─▶ JSON
                            503          504           415 422               cache

`options` says how it is started, `protocol` what travels, `queue` who is next, `cache` what is known
already, `engine` looks, `server` speaks HTTP, `following` swaps when another model is chosen, and `process`
begins and ends it all. Those who only want to ask it import `model.client`; those who want to start one
import `model.supervisor`.
"""
