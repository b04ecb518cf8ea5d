"""A worker whose parent has read torch before it forks, so that a killed child is back at once: only for the faults.

On a GPU the parent keeps clear of torch.
"""

from gateway.celery import app
from generation.engines import diffusers

__all__ = ["app", "diffusers"]
