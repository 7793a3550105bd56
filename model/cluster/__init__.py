"""The worker on many machines: a Ray Serve application whose replicas each keep a worker of our own.

::

    POST /v1/identify ─▶ Ray's proxy ─▶ Replica ── unix socket ──▶ model.worker (a process: decoders, model)
                         (each node)    a Ray actor, on a CPU or GPU that Ray gave it

What answers is the very worker that a single machine runs, so statuses, bodies, deadlines, fairness and
batches are the same by construction; Ray adds replicas, autoscaling, placement on GPUs and health. `plan`
says what is deployed (no Ray in it), `forwarding` passes requests on, `replica` keeps one worker and changes
its bundle, `app` is what Ray imports, and `launching` is ``whosthat worker --engine ray``. Only the last two
import Ray.
"""
