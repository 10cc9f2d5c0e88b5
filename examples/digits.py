"""Tunes a small neural network on scikit-learn's handwritten digits.

tunewright tune examples/digits.py:train --metric accuracy --max-trials 30 --max-parallel 2
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import tunewright as tw

EPOCHS = 30

# The defaults are scikit-learn's own, so the first trial shows what comes out of the box.
space = tw.SearchSpace(
    {
        "width": tw.Int(16, 256, scale="log", default=100),
        "activation": tw.Categorical(["relu", "tanh", "logistic"], default="relu"),
        "solver": tw.Categorical(["adam", "sgd"], default="adam"),
        "learning_rate_init": tw.Float(1e-4, 0.3, scale="log", default=1e-3),
        "momentum": tw.Float(0.0, 0.99, default=0.9, when={"solver": ["sgd"]}),
        "alpha": tw.Float(1e-6, 1.0, scale="log", default=1e-4),
        "batch_size": tw.Categorical([16, 32, 64, 128, 256], ordered=True, default=128),
    }
)


def train(trial: tw.Trial) -> float:
    """Trains one network and returns its accuracy on images that it has not seen."""
    images, digits = load_digits(return_X_y=True)
    data = train_test_split(images / 16, digits, test_size=0.3, random_state=0, stratify=digits)
    train_images, valid_images, train_digits, valid_digits = data
    params = dict(trial.params)
    model = MLPClassifier(hidden_layer_sizes=(params.pop("width"),), random_state=trial.seed, **params)
    accuracy = 0.0
    for epoch in range(1, EPOCHS + 1):
        model.partial_fit(train_images, train_digits, classes=np.arange(10))
        accuracy = accuracy_score(valid_digits, model.predict(valid_images))
        trial.report(accuracy=accuracy, step=epoch)
    return accuracy
