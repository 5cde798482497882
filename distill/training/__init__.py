"""Training of students: methods, tokenised rows and their order, checkpoints, processes.

Code that changes weights enters here. To add a training method, give it

1. a module in this folder with `LIBRARIES` and `train(job, progress)`, as `sft` and `lora` have;
2. a line in `METHODS` of `train.py`;
3. its name in `Method` and its fields in `TrainingConfig`, both in `config.py`;
4. a file in `conf/training/`.
"""
