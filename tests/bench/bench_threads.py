"""What a busy process beside a training costs; for a quiet machine: bench_threads.py.

Waiting threads of torch sleep (`distill/__init__.py`); where they spin, a step beside one busy
process takes 15 times as long. Steps of the embedded student, alone and beside a process that
computes all the time, in turns.
"""

import os
import statistics
import subprocess
import sys
import time

PAIRS = 5
STEPS = 6
BUSY = [sys.executable, "-c", "while True: pass"]
STEP = """
import time
import distill
import torch
from transformers import AutoModelForCausalLM
torch.set_num_threads(2)
model = AutoModelForCausalLM.from_pretrained("distill/micro/students/micro", dtype=torch.float32)
ids = torch.randint(5, 400, (8, 250), generator=torch.Generator().manual_seed(0))
def step():
    with torch.autocast("cpu", torch.bfloat16):
        model(ids, labels=ids).loss.backward()
    model.zero_grad()
step()
begun = time.perf_counter()
for _ in range({steps}):
    step()
print((time.perf_counter() - begun) / {steps})
"""


def seconds(policy: str | None) -> float:
    """Seconds of a step of two threads."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    env |= {"OMP_WAIT_POLICY": policy} if policy else {}
    command = [sys.executable, "-c", STEP.format(steps=STEPS)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print the medians, and the ratio that counts."""
    alone, beside = [], []
    for _ in range(PAIRS):
        alone.append(seconds(None))
        busy = subprocess.Popen(BUSY)
        try:
            beside.append(seconds(None))
        finally:
            busy.kill()
            busy.wait()
    quiet, loaded = statistics.median(alone), statistics.median(beside)
    print(f"a step alone {1000 * quiet:.0f} ms, beside a busy process {1000 * loaded:.0f} ms")
    print(f"ratio {loaded / quiet:.1f} (at most 3); load {os.getloadavg()[0]:.1f}")
    busy = subprocess.Popen(BUSY)
    try:
        begun, spinning = time.perf_counter(), seconds("ACTIVE")
        print(f"the same where threads spin: {1000 * spinning:.0f} ms, once ", end="")
        print(f"({time.perf_counter() - begun:.0f} s with its start)")
    finally:
        busy.kill()
        busy.wait()


if __name__ == "__main__":
    main()
