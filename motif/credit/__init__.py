"""The lab of credit schemes: what each would have made of the same rollouts, and how its gradient stands to a reference.

`schemes` says which scheme can read a tree and applies it by its own class; `agreement` holds the advantages of a
run's recorded trees against each other; `gradients` grows new trees with a policy; `shown` is the last screen.
"""
