"""Figures for Prometheus, all from the database: a gateway is several processes, and each may be asked.

What counts the past looks back an hour, so that a scrape costs the same after a million clips.
"""

from collections.abc import Iterator

from django.db import connection
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from generation import fleet, room
from generation.models import Worker

LINE = """
select q.pool, q.model_id, m.slug, q.waiting, q.drawn,
       coalesce(extract(epoch from statement_timestamp() - q.oldest), 0)::float
  from (
    select pool, model_id, count(*) filter (where state = 'queued') as waiting,
           count(*) filter (where state = 'in_progress') as drawn,
           min(created_at) filter (where state = 'queued') as oldest
      from generation_generation where state = 'queued' or state = 'in_progress' group by 1, 2
  ) q join generation_modelprofile m on m.id = q.model_id
"""
ENDED = """
select m.slug, g.state, g.error_code, count(*)
  from generation_generation g join generation_modelprofile m on m.id = g.model_id
 where g.ended_at > statement_timestamp() - interval '1 hour' group by 1, 2, 3
"""
STAGES = """
select m.slug, g.preset, stage.key,
       percentile_cont(0.5) within group (
           order by stage.value::float / case stage.key when 'denoise' then g.steps else 1 end
       )
  from generation_generation g join generation_modelprofile m on m.id = g.model_id
 cross join lateral jsonb_each_text(g.timings) stage
 where g.ended_at > statement_timestamp() - interval '1 hour' and g.state = 'completed' group by 1, 2, 3
"""
# Begun, not put back by a brake, and neither completed nor under way: a worker died or was silent too long.
LOST = """
select coalesce(sum(greatest(
           fence - handed_back - case when state = 'queued' or error_code = 'worker_lost' then 0 else 1 end, 0
       )), 0)
  from generation_generation
 where state = 'queued' and fence > 0 or state = 'in_progress' or ended_at > statement_timestamp() - interval '1 hour'
"""
SEEN = "select kind, name, extract(epoch from statement_timestamp() - seen_at)::float from gateway_pulse"


class Figures(Collector):
    """One method a concern: what the next table tells is another of them."""

    def collect(self) -> Iterator[Metric]:
        """Every figure at this moment."""
        workers = fleet.living()
        yield from self.line(workers)
        for part in (self.ended, self.stages, self.lost, self.processes):
            yield from part()
        yield from self.memory(workers)
        yield from self.disk()

    def line(self, workers: list[Worker]) -> Iterator[Metric]:
        """What waits and is drawn, and what waits for files that no machine has."""
        waiting = GaugeMetricFamily("gateway_queued", "Generations that wait", labels=["pool"])
        running = GaugeMetricFamily("gateway_in_progress", "Generations being drawn", labels=["pool"])
        oldest = GaugeMetricFamily("gateway_queued_oldest_seconds", "Age of the oldest that waits", labels=["pool"])
        absent = GaugeMetricFamily(
            "gateway_queued_without_files", "That wait, and no machine has the files", labels=["pool", "model"]
        )
        pools: dict[str, list[tuple[int, int, float]]] = {}
        for pool, model, slug, *figures in _rows(LINE):
            pools.setdefault(pool, []).append((figures[0], figures[1], figures[2]))
            if figures[0] and fleet.absent(pool, workers, [model]):
                absent.add_metric([pool, slug], figures[0])
        for pool, models in pools.items():
            queued, drawn, ages = zip(*models, strict=True)
            waiting.add_metric([pool], sum(queued))
            running.add_metric([pool], sum(drawn))
            oldest.add_metric([pool], max(ages))
        yield from (waiting, running, oldest, absent)

    def ended(self) -> Iterator[Metric]:
        """How generations ended, and why."""
        labels = ["model", "state", "reason"]
        family = GaugeMetricFamily("gateway_ended_last_hour", "Generations that ended in the last hour", labels=labels)
        for *told, number in _rows(ENDED):
            family.add_metric(told, number)
        yield family

    def stages(self) -> Iterator[Metric]:
        """What each stage took; of denoising, one step."""
        step = GaugeMetricFamily(
            "gateway_step_seconds", "Median of a denoising step, last hour", labels=["model", "preset"]
        )
        stage = GaugeMetricFamily(
            "gateway_stage_seconds", "Median of a stage, last hour", labels=["model", "preset", "stage"]
        )
        for model, preset, name, seconds in _rows(STAGES):
            if name == "denoise":
                step.add_metric([model, preset], seconds)
            else:
                stage.add_metric([model, preset, name], seconds)
        yield from (step, stage)

    def lost(self) -> Iterator[Metric]:
        """Leases that ran out."""
        ((number,),) = _rows(LOST)
        yield GaugeMetricFamily(
            "gateway_leases_lost_last_hour", "Lost by what is under way or ended in the last hour", value=number
        )

    def processes(self) -> Iterator[Metric]:
        """When workers, chores and scheduler gave their last sign of life."""
        family = GaugeMetricFamily(
            "gateway_process_seen_seconds", "Since a process's last sign of life", labels=["kind", "name"]
        )
        for kind, name, seconds in _rows(SEEN):
            family.add_metric([kind, name], seconds)
        yield family

    def memory(self, workers: list[Worker]) -> Iterator[Metric]:
        """The GPUs' memory, as the workers that live told it last."""
        total = GaugeMetricFamily("gateway_gpu_memory_bytes", "Memory of a worker's GPU", labels=["worker"])
        free = GaugeMetricFamily("gateway_gpu_memory_free_bytes", "Of it, what is free", labels=["worker"])
        for worker in workers:
            for told in worker.engines.values():
                if str(told.get("device", "")).startswith("cuda"):
                    total.add_metric([worker.name], told["memory"]["total"])
                    free.add_metric([worker.name], told["memory"]["free"])
        yield from (total, free)

    def disk(self) -> Iterator[Metric]:
        """Free room for the works, where this process can tell."""
        if (free := room.free()) is not None:
            yield GaugeMetricFamily("gateway_storage_free_bytes", "Free where the works are kept", value=free)


def text() -> bytes:
    """All figures in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures())
    return generate_latest(registry)


def _rows(statement: str) -> list[tuple]:  # type: ignore[type-arg]
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()
