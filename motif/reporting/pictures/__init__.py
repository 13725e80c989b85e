"""The pictures of the report, as PNG and SVG. Axes have units, intervals are drawn, and every legend says n.

draw       all pictures of a report, in their order
training   curves against steps or a count, and where time went
curves     the numbers of these curves: mean and band over seeds
accuracy   accuracy against rounds, against what a question took, and by round
credit     what `motif.credit` has written
probes     what `motif.probe` has written
style      colours, markers, axes, legends, error bars
saving     figures as files, and as SVG within the page
"""
