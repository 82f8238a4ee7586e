"""What Radixa's own routes answer with, as `/openapi.json` describes it. Start at `base.py`."""
