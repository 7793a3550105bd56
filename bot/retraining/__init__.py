"""From corrections to a better model that has proved it, beside the running bot::

    service.start ─▶ process (its own, at low priority, one at a time)
                        export ─▶ train ─▶ gate ─▶ ask somebody, or auto_promote ─▶ swap ─▶ tell
                                                     │                                     │
                     service.promote / decline ◀─────┘          in the bot: `telling` ◀────┘

`types` is what everybody else sees, `state` what is on the disk, `steps` what is done, `process` does it in
order and survives being killed, `service` starts, stops and answers, and `telling` edits replies to people
whom the new model agrees with.
"""
