"""A retraining whose training and gate do as a test says.

``python -m tests.standins.retraining`` is `bot.retraining` with `program` in the place of both. The variable
``STANDIN_RETRAINING`` names a folder: ``orders.json`` in it says what is to happen (``candidate``: the bundle
that training makes; ``promoted``; ``fail``, ``die`` or ``hold``: the step that does so), ``hold`` is removed
to let a step go on, and ``began`` gets a line with step and process id for each that begins.
"""
