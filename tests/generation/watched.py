"""The real engine, with somebody beside it: at chosen steps a test does what another process would do just then."""

from collections.abc import Callable
from typing import ClassVar

from generation.engines import Clip, Model, OnStep, Request
from generation.engines.diffusers import DiffusersEngine


class Watched(DiffusersEngine):
    """Before it reports a step, it does what `at` says for it; `seen` are the steps that were begun."""

    at: ClassVar[dict[int, Callable[[], object]]] = {}
    seen: ClassVar[list[int]] = []

    def run(self, model: Model, request: Request, on_step: OnStep) -> Clip:
        def beside(done: int, total: int) -> None:
            self.seen.append(done)
            self.at.get(done, lambda: None)()
            on_step(done, total)

        self.seen.clear()
        return super().run(model, request, beside)
