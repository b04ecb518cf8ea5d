"""Sketch, the small text-to-video model that ships: what it can be asked for, and how it was taught.

`captions` is for everybody and imports no torch; the other modules draw, train, judge and evaluate.
The weights lie in `generation/weights/sketch`.
"""

PIPELINE = "CogVideoXPipeline"
