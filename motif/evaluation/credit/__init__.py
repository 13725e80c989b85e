"""The lab of credit schemes: what each makes of the same rollouts, and how good an estimate its gradient is.

schemes     which schemes can read a tree, and the advantages that each gives to its replies
agreement   do the advantages of two schemes agree on a run's recorded trees?
sums        sums by question, and the correlations and shares that they give
gradients   gradients of every scheme on new trees of a policy
noise       signal, noise and direction of these gradients
variance    which round makes the outcome vary, and the k that this predicts
tables      what the command prints, and the same as CSV
program     the command: `python -m motif.credit outputs/RUN`
"""
