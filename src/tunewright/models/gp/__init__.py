"""Gaussian-process regression for small data: covariances, priors, fit, prediction, input and output transforms.

Arrays in, arrays out; nothing here knows of trials. Notation follows Rasmussen and Williams, "Gaussian Processes for
Machine Learning" (2006), called GPML in the other files.
"""
