"""The pictures of the report, as PNG and SVG. Axes have units, intervals are drawn, and every legend says n.

draw       all pictures of a report, in their order
training   curves of metrics against steps or a count, and where time went
accuracy   accuracy against rounds, against what a question took, and by round
credit     what `motif.credit` has written
probes     what `motif.probe` has written
style      colours, markers, axes, legends, error bars
saving     figures as files, and as SVG within the page
"""
