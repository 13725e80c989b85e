"""The probe: what a round contributes, measured by changing one thing in an episode (`python -m motif.probe`).

interventions  what is changed in an episode, and its record: one a question
effects        what these records come to: each change against the unchanged episode
program        the command, its table and its sentences
"""
