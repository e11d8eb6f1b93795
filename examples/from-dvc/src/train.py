"""Fits a logistic regression by gradient descent and writes its weights as JSON."""

import argparse
import csv
import json
import math

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("points")
parser.add_argument("model")
parser.add_argument("--learning-rate", type=float, required=True)
parser.add_argument("--epochs", type=int, required=True)
args = parser.parse_args()

with open(args.points, newline="") as file:
    rows = [(float(r["x"]), float(r["y"]), int(r["label"])) for r in csv.DictReader(file)]
weights = [0.0, 0.0, 0.0]
for _ in range(args.epochs):
    gradient = [0.0, 0.0, 0.0]
    for x, y, label in rows:
        error = 1 / (1 + math.exp(-(weights[0] + weights[1] * x + weights[2] * y))) - label
        for i, value in enumerate((1.0, x, y)):
            gradient[i] += error * value / len(rows)
    weights = [w - args.learning_rate * g for w, g in zip(weights, gradient)]
with open(args.model, "w") as file:
    json.dump({"weights": [round(w, 12) for w in weights]}, file)
    file.write("\n")
