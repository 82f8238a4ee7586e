"""The inference engine: scheduler, batch, runner, sampler, and the process it runs in. Start at `base.py`."""
