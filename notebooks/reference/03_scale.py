# %% [markdown]
"""
# Run it at scale

`evaluate` takes an `executor`, and spreads its work over the processes of that executor. One task is one method on
one shard of images, by default 256. The executor may be any of Python's `concurrent.futures`, or that of a
[Dask](https://docs.dask.org) cluster: processes on this machine, several GPUs, or the nodes of SLURM.

* The network is sent once to each process. A task carries the names of its images, and its process reads them.
* At most a thousand tasks wait at a time, so that memory does not grow with the number of images.
* If a worker of Dask dies, its tasks are given to another one.
* The numbers are those of one process.

This page runs a cluster of two processes, kills one of them, and compares the numbers with those of one process.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the same
cost: str = ""  # at whose cost to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the network's default
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 2  # images per pass
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import os
import pickle
import signal
import time

import torch

from book import Page
from lib.cluster import THREADS
from lib.evaluate import evaluate
from lib.processes import Shared

page = Page("reference/03_scale", globals())
net, images = page.opened[0]
page.protocol()

# %% [markdown]
"""
## One process
"""

# %% tags=["show-input"]
METHODS, METRICS = ["fake_cam", "grad_cam", "ablation_cam"], ["average_drop", "average_gain"]
how = {"batch_size": batch_size, "shard_size": 2}

alone = evaluate(net, images, METHODS, METRICS, **how)

# %% [markdown]
"""
## A cluster on this machine, and a worker that is killed

`evaluate` calls `progress` after each shard. Here that function kills a worker in the middle of its task, once. Dask
starts a new worker and gives it work. Each process computes with as many threads as this one: a sum over several
threads is rounded in another way, and so is a sum over another batch.
"""

# %% tags=["show-input"]
try:
    from distributed import Client, LocalCluster
except ImportError:
    print("Not run: Dask is not installed. Install the extra `cluster`, or `pip install distributed`.")
    LocalCluster = None

killed = []


def kill(label, done, total):
    """Kills a worker that has a task, once."""
    busy = [worker for worker, tasks in client.processing().items() if tasks]
    if busy and not killed:
        killed.append(client.run(os.getpid, workers=busy[:1])[busy[0]])
        os.kill(killed[0], signal.SIGKILL)


if LocalCluster:
    threads = dict.fromkeys(THREADS, str(torch.get_num_threads()))
    two = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "env": threads}
    quiet = {"silence_logs": "ERROR", "dashboard_address": ":0"}  # any free port
    with LocalCluster(**two, **quiet) as cluster, Client(cluster) as client:
        how |= {"executor": client.get_executor(), "progress": kill}
        spread = evaluate(net, images, METHODS, METRICS, **how)

# %%
if LocalCluster:
    shown = ["image", "method", "metric", "target", "value"]
    equal = (spread[shown] == alone[shown]).all(axis=1)
    print(f"{len(killed)} worker was killed; {equal.sum()} of {len(equal)} rows equal those of one process bit for bit")

# %% [markdown]
"""
The seconds that each map took are measured anew, and are not compared.

## What is sent

A handle of the network travels with each task. The network itself is written into a file, which each process reads
once and keeps. The file lies in `store`, or without a store in the temporary folder, and is removed at the end. So
workers on several machines need a `store` that they all see.
"""

# %%
with Shared(net) as sent, Shared((METHODS, METRICS)) as asked:
    task = pickle.dumps((sent, asked, images[: how["shard_size"]], batch_size, 0))
content = pickle.dumps(net)
start = time.perf_counter()
pickle.loads(content)
took = time.perf_counter() - start
print(f"To each process, once: the network, {len(content) / 1e6:.1f} MB, which it reads and cuts in {took:.1f} s")
print(f"With each task: {len(task) / 1e3:.1f} kB")

# %% [markdown]
r"""
## Several GPUs

[dask-cuda](https://docs.rapids.ai/api/dask-cuda/stable/) starts one worker per GPU, and numbers the GPUs of each
worker so that its own comes first. The network of a task is therefore put on `cuda:0` of its worker:

```python
from dask_cuda import LocalCUDACluster
from distributed import Client

if __name__ == "__main__":  # in a script, since workers import it
    net = nets.load("torchvision:resnet50", device="cuda")
    with LocalCUDACluster() as cluster, Client(cluster) as client:
        how = {"executor": client.get_executor(), "store": "maps"}
        frame = evaluate(net, images, METHODS, METRICS, **how)
```

## SLURM

[dask-jobqueue](https://jobqueue.dask.org) submits jobs that are workers, here twenty with a GPU each. A job takes
`cores=1`, one task at a time; PyTorch uses the eight cores that the job has. The folders of the project, of the
images and of the store are those of a file system that all nodes see. The first process needs a GPU too, since it
opens the network on it:

```python
from dask_jobqueue import SLURMCluster
from distributed import Client

if __name__ == "__main__":
    cluster = SLURMCluster(
        cores=1, job_cpu=8, memory="32GB", walltime="04:00:00",
        job_extra_directives=["--gres=gpu:1"],
        job_script_prologue=["export OMP_NUM_THREADS=8 MKL_NUM_THREADS=8"],
    )
    cluster.scale(jobs=20)  # tasks wait until the first job starts
    with cluster, Client(cluster) as client:
        how = {"executor": client.get_executor(), "store": "/shared/maps"}
        frame = evaluate(net, images, METHODS, METRICS, **how)
```

Neither recipe is executed by this page. A job that reaches its time limit is a worker that dies: its tasks go to
others, and with a `store` nothing that was finished is computed again.

## From the command line, and in every page

The option `--scheduler` and the parameter `scheduler` take `local` for one process per core, `local:4` for four, or
the address that `dask scheduler` prints:

```bash
python -m lib evaluate --root pictures --store maps --scheduler local:4

# the evaluations within a page, by `lib book` or by papermill
python -m lib book --page opticam/01 -p scheduler tcp://host:8786
papermill notebooks/opticam/01_classification_metrics.ipynb mine.ipynb \
    --cwd notebooks/opticam -p scheduler local:4

# the pages of the book, one per worker
python -m lib book --scheduler tcp://host:8786
```

Every page has the parameter `scheduler` without declaring it, and papermill warns of that. Where a page runs changes
none of its numbers by more than rounding, and does not make it out of date.

In Python, `lib.cluster.workers("local:4")` gives the same executor. With a `ProcessPoolExecutor`, a process that is
killed ends the evaluation. The same call then goes on from the `store`.
"""

# %%
page.provenance()
