"""Who watches a run.

base        the choices of the config group `tracking`: wandb, tensorboard, none
wandb       what Weights & Biases is told of a run
sender      the thread that tells it
upload      `python -m motif.uploads`: runs that W&B has not got
dashboard   `python -m motif.dashboard`: a workspace of W&B
"""
