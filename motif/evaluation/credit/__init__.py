"""The lab of credit schemes: what each makes of the same rollouts, and how good an estimate its gradient is.

`schemes` says which scheme can read a tree and applies it by its own class; `agreement` holds the advantages of a
run's recorded trees against each other; `gradients` grows new trees with a policy, `noise`
judges what comes of them; `shown` is the last screen.
"""
