import time, threading
import pytest
from generation import generations, tasks
from gateway import allowances
from tests import makers

def test_one(at_once, transactional_db):
    artist = makers.artist(credits=10); makers.sketch()
    t=time.time(); generations.submit(by=artist, prompt="a red", seconds=1); print("first submit", time.time()-t)
    t=time.time(); generations.submit(by=artist, prompt="a red", seconds=1); print("second submit", time.time()-t)
    t=time.time(); tasks.ring("default"); print("ring", time.time()-t)
    def timed():
        t=time.time()
        try: generations.submit(by=artist, prompt="a red circle", seconds=1)
        except Exception as e: pass
        return time.time()-t
    t=time.time()
    print(at_once(*[timed]*20)); print("all", time.time()-t)
    def r():
        t=time.time(); tasks.ring("default"); return time.time()-t
    print(at_once(*[r]*20))
