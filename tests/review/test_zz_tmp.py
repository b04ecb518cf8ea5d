import time
from tests import makers
from generation import tasks
def test_ring(transactional_db, capsys):
    makers.sketch()
    with capsys.disabled():
        for _ in range(3):
            t=time.time(); tasks.ring("default"); print("ring", time.time()-t)
        a = makers.artist(credits=10)
        for _ in range(3):
            t=time.time(); makers.queued(a); print("submit", time.time()-t)
